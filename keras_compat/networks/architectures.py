"""The registry of architectures, each an ordered list of named blocks.

To add one, write a file with a function from plain arguments (int, float) to an `Architecture`,
register the function under a name, and import the file in `keras_compat/networks/__init__.py`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from keras_compat.errors import InputError, unknown_name
from keras_compat.networks.layer_maker import LayerMaker
from keras_compat.registry import Registry

Apply = Callable[[Any, LayerMaker], Any]
"""A part of a network, as a function of a symbolic tensor and the maker of layers."""


@dataclass(frozen=True)
class Block:
    """A named part of a network, after which the network can be split.

    Args:
        name: Name of the block, unique in the architecture, and of the block's last layer.
        apply: A function from the tensor before the block to the tensor after it.
    """

    name: str
    apply: Apply


@dataclass(frozen=True)
class Architecture:
    """A network as an ordered list of blocks, up to its global average pooling.

    Args:
        blocks: Blocks in order, the stem first.
        top: The part after the last block, which belongs to every head.
        default_split: Block or alias after which the network is split by default.
        aliases: Other names of blocks, such as `"stage2"` for its last block.
    """

    blocks: tuple[Block, ...]
    top: Apply
    default_split: str
    aliases: dict[str, str] = field(default_factory=dict)

    @property
    def split_points(self) -> tuple[str, ...]:
        """Names of the blocks, then the aliases."""
        return (*(block.name for block in self.blocks), *self.aliases)

    def split_block(self, split: str | None) -> str:
        """Returns the block after which the network is split at `split`."""
        split = self.default_split if split is None else split
        if split not in self.split_points:
            raise unknown_name("split", split, self.split_points)
        return self.aliases.get(split, split)

    def blocks_before(self, split: str | None) -> int:
        """Returns the number of blocks in the extractor when the network is split at `split`."""
        return [block.name for block in self.blocks].index(self.split_block(split)) + 1


ARCHITECTURES: Registry[Callable[..., Architecture]] = Registry("architecture")


def parse_architecture(text: str) -> tuple[str, dict[str, int | float], str | None]:
    """Reads `"NAME"`, `"NAME:key=value,key=value"`, either followed by `"@SPLIT"`.

    Args:
        text: Name of an architecture, such as `"mobilenet_v2:width=0.5@block11"`.

    Returns:
        The registered name, the arguments in the types that the architecture takes, and the
        split point or `None`.

    Raises:
        InputError: The architecture, an argument or the split is unknown (the message lists the
            nearest names), or a value is not valid.

    Example:

    >>> parse_architecture("resnet:depth=20@stage2")
    ('resnet', {'depth': 20}, 'stage2')
    """
    specification, at, split = text.partition("@")
    name, colon, argument_text = specification.partition(":")
    family = ARCHITECTURES[name]
    parameters = inspect.signature(family, eval_str=True).parameters
    arguments: dict[str, int | float] = {}
    for part in argument_text.split(",") if colon else ():
        key, _, value = part.partition("=")
        if key not in parameters:
            raise unknown_name(f"argument of {name}", key, parameters)
        arguments[key] = _convert(f"{name}:{key}", value, parameters[key].annotation)
    architecture = family(**arguments)
    if at and split not in architecture.split_points:
        raise unknown_name(f"split of {specification}", split, architecture.split_points)
    return name, arguments, split if at else None


def _convert(what: str, value: str, kind: type) -> int | float:
    try:
        return kind(value)
    except ValueError:
        expected = "a whole number" if kind is int else "a number"
        raise InputError(f"{what} is {value!r}; expected {expected}") from None


def find_architecture(text: str, split: str | None = None) -> tuple[Architecture, str | None]:
    """Returns the architecture and the split point that `text` names.

    Args:
        split: Split point, if `text` names none or the same one.

    Returns:
        The architecture; `split`, else the split in `text`, else `None`.

    Raises:
        InputError: `text` is not valid, or names another split than `split`.

    Example:

    >>> find_architecture("resnet8@stem")[1]
    'stem'
    """
    name, arguments, split_in_text = parse_architecture(text)
    if split is not None and split_in_text not in (None, split):
        raise InputError(f"{text!r} names another split than split={split!r}; drop one of them")
    return ARCHITECTURES[name](**arguments), split or split_in_text


def register_preset(name: str, family: Callable[..., Architecture], **arguments: int | float):
    """Registers a name for a member of a family; users may override its arguments."""
    ARCHITECTURES.register(name)(functools.partial(family, **arguments))


def split_points(architecture: str) -> tuple[str, ...]:
    """Lists the points at which an architecture can be split into extractor and head.

    Args:
        architecture: Name of an architecture, see `parse_architecture`.

    Returns:
        The names of the blocks in order, then the aliases (`"stage2"`: its last block).

    Raises:
        InputError: The architecture is unknown.

    Example:

    >>> split_points("resnet8")
    ('stem', 'stage1_block1', 'stage2_block1', 'stage3_block1', 'stage1', 'stage2', 'stage3')
    """
    return find_architecture(architecture)[0].split_points


def default_split(architecture: str) -> str:
    """Returns the default split point of an architecture.

    Example:

    >>> default_split("mobilenet_v2"), default_split("resnet56")
    ('block11', 'stage2')
    """
    return find_architecture(architecture)[0].default_split


def three_stages(
    stem: Callable[..., Any], block: Callable[..., Any], top: Apply, count: int, filters: int
) -> Architecture:
    """Returns an architecture of three stages of `count` blocks each, split after the second.

    The first stage has `filters` channels. Each further one doubles the channels, and its first
    block halves height and width.

    Example:

    >>> plan = three_stages(lambda x, make: x, lambda x, make: x, lambda x, make: x, 2, 16)
    >>> plan.aliases["stage1"]
    'stage1_block2'
    """
    blocks = [Block("stem", stem)]
    for stage in (1, 2, 3):
        for index in range(1, count + 1):
            name = f"stage{stage}_block{index}"
            apply = functools.partial(
                block,
                name=name,
                filters=filters * 2 ** (stage - 1),
                strides=2 if stage > 1 and index == 1 else 1,
            )
            blocks.append(Block(name, apply))
    aliases = {f"stage{stage}": f"stage{stage}_block{count}" for stage in (1, 2, 3)}
    return Architecture(tuple(blocks), top, "stage2", aliases)


def require_positive(**arguments: int | float) -> None:
    """Raises an `InputError` for the first argument that is not above zero.

    Example:

    >>> require_positive(width=0)
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: width is 0; expected more than 0
    """
    for name, value in arguments.items():
        if not value > 0:
            raise InputError(f"{name} is {value}; expected more than 0")
