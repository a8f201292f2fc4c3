"""Flags and arguments that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from keras_compat.errors import InputError
from keras_compat.escaping import escape
from keras_compat.experiments import command_line
from keras_compat.experiments.flags import words
from keras_compat.experiments.start_up import quiet_start
from keras_compat.printing import tell

if TYPE_CHECKING:
    from keras_compat.data.options import LoadOptions
    from keras_compat.store import Reference, Store

Command = Callable[..., argparse.ArgumentParser]
"""Adds a command: a function of the flags, a line of help, and words such as `"reference"`."""


def add_images(flags: argparse.ArgumentParser, required: bool = True) -> None:
    """Adds the flags that name images without labels."""
    flags.add_argument(
        "--images", required=required, help="images of its kind; labels are not used"
    )
    flags.add_argument("--count", type=int, default=500, help="of images, at most (500)")
    add_reading(flags)


def add_reading(flags: argparse.ArgumentParser) -> None:
    """Adds the flags that say how images are read."""
    flags.add_argument("--data_dir", help="where TensorFlow Datasets keeps its data")
    flags.add_argument("--download", action="store_true", help="let TensorFlow Datasets download")


def open_store(flags: Any) -> Store:
    """The store that a command is about."""
    from keras_compat.store import Store

    return Store(flags.store)


def reference_of(text: str) -> Reference:
    """A component by its name, as `NAME` or `NAME@VERSION`; whether it is there or not."""
    from keras_compat.store import Reference

    return Reference.parse(text)


def published(store: Store, text: str) -> Reference:
    """The version of a component that is there."""
    reference = store.resolve(reference_of(text))
    store.manifest(reference)
    return reference


def free(store: Store, text: str) -> Reference:
    """A version that can be published."""
    reference = reference_of(text)
    store.check_free(reference)
    return reference


def start() -> None:
    """Loads Keras, which listing and showing do without."""
    command_line.choose_backend()
    with quiet_start():
        import keras  # noqa: F401


def reading(flags: Any) -> LoadOptions:
    """Options for reading images."""
    from keras_compat.data.options import LoadOptions

    return LoadOptions(data_dir=flags.data_dir, download=flags.download)


def count_of(count: int) -> int:
    """Largest number of images that are taken."""
    if count < 2:
        raise InputError(f"--count is {count}; expected 2 or more")
    return count


def some_of(flag: str, text: str, known: Sequence[str]) -> list[str]:
    """Words of a list, each once."""
    found = list(dict.fromkeys(words(text)))
    if not found or not set(found) <= set(known):
        raise InputError(f"--{flag} is {text!r}; expected of {', '.join(known)}, with commas")
    return found


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Prints rows with their cells below one another."""
    rows = [list(map(escape, row)) for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        tell("  ".join(cells).rstrip())
