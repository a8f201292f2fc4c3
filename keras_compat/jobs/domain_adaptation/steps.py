"""The steps of a run: what is trained once, and what starts from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keras_compat.jobs.domain_adaptation.config import Config

ROTATION, SOURCE, ADAPTATION = "rotation_init", "source", "adaptation"


@dataclass(frozen=True)
class Step:
    """One training.

    Args:
        kind: `"rotation_init"`, `"source"` or `"adaptation"`.
        seed: of weights, orders and augmentation.
        source: the name of the source's data; none of a step for all.
        target: the name of the target's data, of an adaptation.

    Example:

    >>> step = Step(ADAPTATION, 0, "mnist5k", "digits")
    >>> step.name, step.starts_from
    ('mnist5k_to_digits_seed0', 'mnist5k_seed0')
    """

    kind: str
    seed: int
    source: str = ""
    target: str = ""

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
    def starts_from(self) -> str | None:
        """The name of the step whose networks this one starts from, where there is one."""
        if self.kind == ADAPTATION:
            return Step(SOURCE, self.seed, self.source).name
        return Step(ROTATION, self.seed).name if self.kind == SOURCE else None


def steps_of(config: Config, directions: Sequence[tuple[str, str]]) -> list[Step]:
    """Returns the steps of a run in an order in which each finds what it starts from.

    Args:
        config: of the run.
        directions: the names of source and target, of each.
    """
    seeds = range(config.seed, config.seed + config.seeds)
    found = []
    for seed in seeds:
        if config.network is None:
            if config.rotation_init is not None:
                found.append(Step(ROTATION, seed))
            found += [Step(SOURCE, seed, source) for source, _ in directions]
        found += [Step(ADAPTATION, seed, source, target) for source, target in directions]
    return found
