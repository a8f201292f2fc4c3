"""Times the end of `fit` with and without the autotuning of `tf.data`.

    python -m benchmarks.end_of_fit [--output FILE]

Calls of `fit` of a few rounds of `benchmarks.joint_round` each, on TensorFlow, in turn with the
data as `keras_compat.data.quiet_tensorflow.without_autotuning` leaves them (ours) and as Keras
makes them of the same minibatches (keras). Of each: the mean, the shortest and the longest of the
calls, mean_s, shortest_s and longest_s; and ratio, the mean of ours over that of Keras.
"""

from __future__ import annotations

import os
import statistics
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

from benchmarks import joint_networks, joint_setting, output
from keras_compat.reporting import Run
from keras_compat.training import Trainer

OURS, KERAS = "ours", "keras"


class ReadByKeras(Trainer):
    """A trainer that leaves it to Keras how minibatches are read."""

    @staticmethod
    def as_input(batches: Any) -> Any:
        return batches


def main() -> None:
    parser = output.make_parser(__doc__)
    joint_setting.add_flags(parser)
    parser.add_argument("--rounds", type=int, default=2, help="of a call (2)")
    parser.add_argument("--calls", type=int, default=30, help="in each way (30)")
    args = parser.parse_args()
    run = Run("end_of_fit", {**vars(args), "output": None})
    chosen = joint_setting.setting(args, "float32")
    data = {f"n{i}": chosen.data(i) for i in range(chosen.networks)}
    trainers = {}
    for name, kind in ((OURS, Trainer), (KERAS, ReadByKeras)):
        trainers[name] = kind(joint_networks.make_tasks(chosen))
        trainers[name].compile(joint_networks.make_optimizer())
    seconds: dict[str, list[float]] = {name: [] for name in trainers}
    for call in range(args.calls + 1):
        for name, trainer in trainers.items():
            begin = time.perf_counter()
            trainer.fit(data, batch_size=chosen.batch_size, steps_per_epoch=args.rounds, verbose=0)
            if call:  # the first one compiles
                seconds[name].append(time.perf_counter() - begin)
    for name, taken in seconds.items():
        run.add("mean_s", round(statistics.mean(taken), 3), variant=name)
        run.add("shortest_s", round(min(taken), 3), variant=name)
        run.add("longest_s", round(max(taken), 3), variant=name)
    ratio = statistics.mean(seconds[OURS]) / statistics.mean(seconds[KERAS])
    run.add("ratio", round(ratio, 3))
    output.report(run, args.output)


if __name__ == "__main__":
    main()
