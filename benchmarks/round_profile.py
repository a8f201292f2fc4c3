"""Measures the time of each kind of operation in a round, from a profile.

    python -m benchmarks.round_profile [--output FILE]

Traces rounds of `benchmarks.joint_round` by our trainer on TensorFlow with `ProfileRounds`, the
callback behind `--profile`, and adds up the operations of all compute threads by kind. Of each
precision: round_ms; share, a kind's part of the threads' time (`between operations` is what they
need to find the next one); busy, how much of the time of all cores the threads compute; and
input_ms, what the threads of `tf.data` do meanwhile, at most: some of it is counted twice.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import jax.profiler

from benchmarks import joint_networks, joint_setting, output
from keras_compat.machine import cores
from keras_compat.reporting import Run
from keras_compat.training import ProfileRounds

FIRST = 5
# Names of threads, of what holds all operations of a thread, and of a round.
COMPUTE, INPUT, HOLDS_ALL, ROUND = "tf_Compute/", "tf_data", "Process", "multi_step_on_iterator"
# By kind: what is in the names of its operations, the last that fits counts.
KINDS = {
    "convolutions, forward": ("Conv2D",),
    "convolutions, gradients": ("Conv2DBackprop",),
    "normalization": ("BatchNorm",),
    "activations, sums, shortcuts": ("Relu", "Add", "Pad", "StridedSlice"),
    "optimizer": ("ResourceApply",),
    "casts": ("Cast",),
}
BETWEEN, OTHER = "between operations", "other operations"


def kind_of(operation: str) -> str:
    """Returns the kind of an operation.

    >>> kind_of("_MklNativeConv2DBackpropFilter")
    'convolutions, gradients'
    """
    fitting = [kind for kind, names in KINDS.items() if any(name in operation for name in names)]
    return fitting[-1] if fitting else OTHER


def trace(chosen: joint_setting.Setting, rounds: int, folder: str) -> Path:
    """Trains, and returns the profile of the last rounds."""
    trainer, data = joint_networks.make_trainer(chosen)
    trainer.fit(
        data,
        batch_size=chosen.batch_size,
        steps_per_epoch=FIRST + rounds,
        verbose=0,
        callbacks=[ProfileRounds(folder, FIRST, rounds)],
    )
    (file,) = Path(folder).rglob("*.xplane.pb")
    return file


def nanoseconds(file: Path) -> tuple[Counter[str], float, float, float]:
    """Returns the time of each kind, of the compute threads, of input threads, and of the clock."""
    kinds: Counter[str] = Counter()
    computing = reading = clock = 0.0
    for plane in jax.profiler.ProfileData.from_file(str(file)).planes:
        for line in plane.lines:
            for event in line.events:
                name = event.name.rpartition(":")[2]
                if name == ROUND:
                    clock += event.duration_ns
                elif line.name.startswith(INPUT):
                    reading += event.duration_ns
                elif line.name.startswith(COMPUTE):
                    if name == HOLDS_ALL:
                        computing += event.duration_ns
                    else:
                        kinds[kind_of(name)] += event.duration_ns
    kinds[BETWEEN] = computing - sum(kinds.values())
    return kinds, computing, reading, clock


def main() -> None:
    parser = output.make_parser(__doc__)
    joint_setting.add_flags(parser)
    parser.add_argument("--rounds", type=int, default=10, help="that are traced (10)")
    parser.add_argument(
        "--precisions", default=",".join(joint_setting.PRECISIONS), help="by default both"
    )
    args = parser.parse_args()
    run = Run("round_profile", {**vars(args), "output": None})
    for precision in args.precisions.split(","):
        with run.phase(precision), tempfile.TemporaryDirectory() as folder:
            file = trace(joint_setting.setting(args, precision), args.rounds, folder)
            kinds, computing, reading, clock = nanoseconds(file)
        keys = {"precision": precision}
        run.add("round_ms", round(clock / args.rounds / 1e6, 1), **keys)
        run.add("busy", round(computing / clock / cores(), 3), **keys)
        run.add("input_ms", round(reading / args.rounds / 1e6, 2), **keys)
        for kind, taken in kinds.most_common():
            run.add("share", round(taken / computing, 4), **keys, kind=kind)
    output.report(run, args.output)


if __name__ == "__main__":
    main()
