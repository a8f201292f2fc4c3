"""The steps of a run: what is trained once, and what starts from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keras_compat.experiments.domain_adaptation.settings import Config

ROTATION, SOURCE, ADAPTATION = "rotation_init", "source", "adaptation"


@dataclass(frozen=True)
class Step:
    """One training.

    Args:
        kind: `"rotation_init"`, `"source"` or `"adaptation"`.
        seed: of weights, orders and augmentation.
        source: the name of the source's data; none of a step for all.
        target: the name of the target's data, of an adaptation.
        after: the name of the step that it starts from.

    Example:

    >>> Step(ADAPTATION, 0, "mnist5k", "digits").name
    'mnist5k_to_digits_seed0'
    """

    kind: str
    seed: int
    source: str = ""
    target: str = ""
    after: str = ""

    @property
    def name(self) -> str:
        """A name for its folder, different for different steps."""
        words = {
            ROTATION: ROTATION,
            SOURCE: self.source,
            ADAPTATION: f"{self.source}_to_{self.target}",
        }
        return f"{words[self.kind]}_seed{self.seed}"

    @property
    def starts_from(self) -> tuple[str, ...]:
        """The name of the step whose networks this one starts from, where there is one."""
        return (self.after,) if self.after else ()


def steps_of(config: Config, directions: Sequence[tuple[str, str]]) -> list[Step]:
    """Returns the steps of a run in an order in which each finds what it starts from.

    Args:
        config: of the run.
        directions: the names of source and target, of each.
    """
    found = []
    for seed in range(config.seed, config.seed + config.seeds):
        head = ""
        if config.rotation_init is not None:
            found.append(Step(ROTATION, seed))
            head = found[-1].name
        trained: dict[str, str] = {}
        if config.network is None:
            sources = [Step(SOURCE, seed, source, after=head) for source, _ in directions]
            trained = {step.source: step.name for step in sources}
            found += sources
        found += [
            Step(ADAPTATION, seed, source, target, after=trained.get(source, ""))
            for source, target in directions
        ]
    return found
