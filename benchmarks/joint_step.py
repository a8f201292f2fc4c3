"""Times a round of the demo's first stage in variants.

    python -m benchmarks.joint_step [--output FILE]

Times rounds of joint training (three extractors, one head, a shared rotation head, batch 64,
16 x 16, TensorFlow backend) and prints milliseconds a round and ratios as JSON:

- shipped: as the demo trains;
- unfused: batch statistics by `keras.ops.moments` instead of TensorFlow's fused kernel;
- xla: compiled with XLA, which Keras would choose by default;
- no_rotation: without the rotation head.

The first round of each, which traces and compiles, is timed as well. Variants run in turn, several
times over, so that a busy machine disturbs all alike; the median counts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras

from benchmarks import output
from benchmarks.alternating import alternate
from benchmarks.first_stage import first_stage
from keras_compat.experiments.classifier_transfer.preparation import prepare
from keras_compat.experiments.classifier_transfer.presets import PRESETS
from keras_compat.experiments.loading import load_dataset, load_options
from keras_compat.layers import fused_tensorflow
from keras_compat.reporting import Run
from keras_compat.training import Trainer


def trainer(rotation: bool, jit_compile: bool | str) -> tuple[Trainer, dict]:
    """Returns the demo's first stage and its data."""
    config = replace(PRESETS["demo"], maintain=("extractor",))
    config = replace(config, auxiliaries=("rotation",) if rotation else ())
    prepared = prepare(config, load_dataset(config.dataset, load_options(config)), seed=0)
    model = first_stage(config, prepared.dataset, prepared.initial)
    model.compile(keras.optimizers.Adam(0.01), jit_compile=jit_compile)
    examples = prepared.of_initial_classes(prepared.train)
    return model, dict.fromkeys(config.extractors, examples)


def train(rounds: int, model: Trainer, data: dict) -> None:
    """Trains for some rounds."""
    model.fit(data, batch_size=64, steps_per_epoch=rounds, verbose=0)


def unfused(make: Callable[[], tuple[Trainer, dict]]) -> tuple[Trainer, dict]:
    """Returns a trainer whose step was traced without the fused kernel."""
    kept = fused_tensorflow.applies
    fused_tensorflow.applies = lambda x, axis: False
    try:
        model, data = make()
        train(1, model, data)
        return model, data
    finally:
        fused_tensorflow.applies = kept


def main() -> None:
    parser = output.make_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="rounds a measurement (20)")
    parser.add_argument("--repeats", type=int, default=3, help="measurements a variant (3)")
    args = parser.parse_args()
    run = Run("joint_step", {"preset": "demo", "rounds": args.rounds, "repeats": args.repeats})
    variants = {}
    for name, make in {
        "shipped": lambda: trainer(True, "auto"),
        "unfused": lambda: unfused(lambda: trainer(True, "auto")),
        "xla": lambda: trainer(True, True),
        "no_rotation": lambda: trainer(False, "auto"),
    }.items():
        begin = time.perf_counter()
        variants[name] = make()
        train(1, *variants[name])
        run.add("first_round_s", round(time.perf_counter() - begin, 1), variant=name)
    works = {name: partial(train, args.rounds, *made) for name, made in variants.items()}
    timed = alternate(works, args.repeats, warm_up=0)
    for name, taken in timed.items():
        run.add("round_ms", round(taken.median_s / args.rounds * 1000, 1), variant=name)
        ratio = taken.median_s / timed["shipped"].median_s
        run.add("ratio_to_shipped", round(ratio, 3), variant=name)
    output.report(run, args.output)


if __name__ == "__main__":
    main()
