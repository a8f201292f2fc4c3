"""Times `--help` of every app, and the phases up to the demo's first round.

    python -m benchmarks.start_up [--output FILE]

- help_s: a process that prints `--help`, beside python_s, one that does nothing; in turn, medians;
- first_round_s: the demo's first stage by phase: importing, reading data and building networks,
  the first round, and the second; tracing is the part of the first round in which Python records
  it as a graph, the rest optimizes and compiles that, and runs it.

`KERAS_BACKEND` chooses the backend.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import output
from keras_compat.reporting import Run

APPS = (
    "classifier_transfer",
    "compatibility_analysis",
    "domain_adaptation",
    "transfer_learning",
    "components",
)
BATCH = 64


def seconds(work: Callable[[], Any]) -> float:
    """Returns what a call takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def time_help(repeats: int) -> dict[str, float]:
    """Returns the seconds of every app's `--help`, and of a process that does nothing."""
    commands = {name: ["-m", f"apps.{name}", "--help"] for name in APPS}
    commands["python"] = ["-c", ""]
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, words in commands.items():
            work = [sys.executable, *words]
            times[name].append(
                seconds(lambda work=work: subprocess.run(work, check=True, capture_output=True))
            )
    return {name: statistics.median(found) for name, found in times.items()}


def time_first_round() -> dict[str, float]:
    """Returns the seconds of each phase up to the demo's second round."""
    found: dict[str, float] = {}

    made: list[Any] = []

    def load() -> None:
        import benchmarks.joint_step  # noqa: F401

    def build() -> None:
        from benchmarks import joint_step

        made.append(joint_step.trainer(rotation=True, jit_compile="auto"))

    found["import"] = seconds(load)
    found["build"] = seconds(build)
    model, data = made[0]
    traced = []
    train_round = model.train_round

    def timed(*arguments: Any) -> Any:
        begin = time.perf_counter()
        try:
            return train_round(*arguments)
        finally:
            traced.append(time.perf_counter() - begin)

    model.train_round = timed
    for name in ("first_round", "second_round"):
        found[name] = seconds(
            lambda: model.fit(data, batch_size=BATCH, steps_per_epoch=1, verbose=0)
        )
    found["tracing"] = sum(traced)
    return found


def main() -> None:
    parser = output.make_parser(__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="of every --help (5)")
    args = parser.parse_args()
    helps = time_help(args.repeats)
    phases = time_first_round()
    run = Run("start_up", {"repeats": args.repeats, "preset": "demo", "batch_size": BATCH})
    run.add("python_s", round(helps.pop("python"), 3))
    for name, value in helps.items():
        run.add("help_s", round(value, 3), app=name)
    for name, value in phases.items():
        run.add("first_round_s", round(value, 2), phase=name)
    output.report(run, args.output)


if __name__ == "__main__":
    main()
