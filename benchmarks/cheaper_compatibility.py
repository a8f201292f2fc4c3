"""Measures time and accuracy of compatible training with cheaper auxiliary tasks.

    python -m benchmarks.cheaper_compatibility [--preset=demo|cpu] [--datasets=SPEC,SPEC]
        [--output FILE] [--figure FILE]

Trains the two networks of a preset of the compatibility analysis (the demo's: digits and MNIST,
ResNet-8, 16 x 16, batch 128) by methods with rotation prediction, in variants of how rotated images
are shown, and prints recombination accuracy and the time of a round relative to plain training as
JSON:

- full: all images, every round, in a pass of their own;
- half, quarter: of each batch;
- every_2, every_4: in every second or fourth round, with as many times the weight;
- joint: in one pass with the upright images, which shares batch statistics;
- transformed: in place of the upright images, which the classifier sees as well: no second pass;
- none: without rotation prediction;
- bfloat16, float16: as full, and the step computes in 16 bits.

Times are of rounds within `fit` by RP+DCC: all variants are in one process and take turns, and the
medians count. What the output file has already is not measured again.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from statistics import median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras

from benchmarks import output
from keras_compat.experiments.compatibility_analysis.cost import PLAIN, Seconds, timed_rounds
from keras_compat.experiments.compatibility_analysis.groups import load_group
from keras_compat.experiments.compatibility_analysis.presets import PRESETS
from keras_compat.experiments.compatibility_analysis.settings import Settings as Config
from keras_compat.experiments.compatibility_analysis.training import Setup, as_trained, make_setup
from keras_compat.experiments.settings import TrainingSettings as Training
from keras_compat.experiments.training import train
from keras_compat.reporting import Run
from keras_compat.reporting.figures.points import Points, draw_points
from keras_compat.reporting.metrics import load_metrics
from keras_compat.reporting.records import select
from keras_compat.studies import find_measure
from keras_compat.studies.cells import Cell
from keras_compat.studies.trained import Trained
from keras_compat.training import Trainer

FULL, NONE = "full", "none"


@dataclass(frozen=True)
class Variant:
    """Differences from a preset: settings, the passes of each task, the step's precision."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    passes: str = "separate"
    precision: str = "float32"


VARIANTS: dict[str, Variant] = {
    FULL: Variant(),
    "half": Variant({"auxiliary_fraction": 0.5}),
    "quarter": Variant({"auxiliary_fraction": 0.25}),
    "every_2": Variant({"auxiliary_every": 2}),
    "every_4": Variant({"auxiliary_every": 4}),
    "joint": Variant(passes="joint"),
    "transformed": Variant(passes="transformed"),
    NONE: Variant(),
    "bfloat16": Variant(precision="mixed_bfloat16"),
    "float16": Variant(precision="mixed_float16"),
}


def setup(config: Config, method: str, variant: str, seed: int) -> tuple[Training, Setup, Trained]:
    """Returns how a variant of a method trains, what it trains, and what is measured then."""
    changes = VARIANTS[variant]
    if variant == NONE:
        method = "+".join(part for part in method.split("+") if part != "rp") or PLAIN
    training = replace(config.training, precision=changes.precision)
    config = replace(config, training=training, **changes.settings)
    cell, group = Cell(method, seed), load_group(config)
    made = make_setup(config, cell, group)
    tasks = {name: replace(task, passes=changes.passes) for name, task in made.tasks.items()}
    measured = as_trained(config, cell, group, made.networks)
    return training, replace(made, tasks=tasks), measured


def accuracies(config: Config, method: str, variant: str, seed: int) -> Mapping[str, float]:
    """Trains, and returns recombination accuracy and the networks' own, means over networks."""
    keras.utils.set_random_seed(seed)
    how, made, trained = setup(config, method, variant, seed)
    trainer = Trainer(list(made.tasks.values()), seed=1000 * seed + 700)
    train(trainer, made.data, how, [], pathlib.Path("last_good.keras"))
    found = find_measure("matrix")(trained)
    keras.backend.clear_session()
    return {
        metric: select(found, metric=metric, dataset="average")[0]["value"]
        for metric in ("recombination_accuracy", "own_accuracy")
    }


def times(config: Config, rounds: int, turns: int) -> Seconds:
    """Returns the seconds of a round in each turn, of plain training and of each variant."""
    made = {name: setup(config, "rp+dcc", name, 0) for name in VARIANTS}
    made[PLAIN] = setup(config, PLAIN, FULL, 0)
    by_name = {name: (how, each) for name, (how, each, _) in made.items()}
    return timed_rounds(by_name, rounds, turns)


def draw(results: list[dict[str, Any]], datasets: str, path: pathlib.Path) -> None:
    """Draws accuracies over the time of a round, recombined and with own heads, by method.

    Float16 is left out: on a CPU it takes so long that the others would be in one place.
    """
    panels: dict[str, list[Points]] = {}
    measured = select(results, metric="own_accuracy")
    variants = [v for v in VARIANTS if v != "float16" and select(measured, variant=v)]
    for method in dict.fromkeys(record["method"] for record in measured):
        for metric, what in (
            ("recombination_accuracy", "recombined"),
            ("own_accuracy", "own heads"),
        ):
            panels[f"{what}, {method}:\ntime of a round"] = [
                Points(variant, places(results, metric, method, variant)) for variant in variants
            ]
    draw_points(
        path,
        panels,
        "Cheaper rotation prediction",
        f"{datasets}; a point is a seed; time 1 is plain training",
        "accuracy (%)",
    )


def places(
    results: list[dict[str, Any]], metric: str, method: str, variant: str
) -> list[tuple[float, float]]:
    """Returns the relative time of a round with each seed's accuracy."""
    times = [r["value"] for r in select(results, metric="round_time_ratio", variant=variant)]
    found = select(results, metric=metric, method=method, variant=variant)
    return [(time, record["value"]) for time in times for record in found]


def main() -> None:
    parser = output.make_parser(__doc__)
    parser.add_argument("--preset", default="demo", choices=list(PRESETS), help="demo")
    parser.add_argument("--datasets", help="other than the preset's, with commas between")
    parser.add_argument("--methods", default="iiw+rp+dcc,rp+dcc", help="with commas between")
    parser.add_argument("--variants", default=",".join(VARIANTS), help="with commas between")
    parser.add_argument("--seeds", type=int, default=1, help="of each (1)")
    parser.add_argument("--rounds", type=int, default=20, help="of a turn that is timed (20)")
    parser.add_argument("--turns", type=int, default=7, help="of each variant (7)")
    parser.add_argument("--figure", type=pathlib.Path, help="write the plot here, a PNG")
    args = parser.parse_args()
    config = PRESETS[args.preset]
    if args.datasets:
        config = replace(config, datasets=tuple(args.datasets.split(",")))
    run = Run(
        "cheaper_compatibility", {**asdict(config), "rounds": args.rounds, "turns": args.turns}
    )
    if args.output and args.output.exists():
        run.results += load_metrics(args.output)["results"]

    def keep() -> None:
        if args.output:
            run.write(args.output)

    for seed in range(args.seeds):
        for variant in args.variants.split(","):
            for method in args.methods.split(","):
                keys = {"method": method, "variant": variant, "seed": seed}
                if not select(run.results, **keys):
                    for metric, value in accuracies(config, method, variant, seed).items():
                        print(run.add(metric, value, **keys), flush=True)
                    keep()
    if args.turns and not select(run.results, metric="round_time_s"):
        seconds = times(config, args.rounds, args.turns)
        for variant, turns in seconds.items():
            run.add("round_time_s", median(turns), variant=variant)
            ratio = median(turns) / median(seconds[PLAIN])
            run.add("round_time_ratio", ratio, variant=variant)
        keep()
    output.report(run, args.output)
    if args.figure:
        names = list(load_group(config).datasets)
        draw(run.results, " and ".join(names), args.figure)


if __name__ == "__main__":
    main()
