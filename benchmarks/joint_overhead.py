"""Measures the time that our trainer adds to a bare compiled step, in one process.

    python -m benchmarks.joint_overhead [--output FILE]

The programs trainer, guarded and bare of `benchmarks.joint_keras` in turn: processes that do the
same differ by a few percent, which is as much as is looked for. Of each: round_ms, and overhead,
its time over that of the bare step, less one.
"""

from __future__ import annotations

import os
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import joint_setting, output
from benchmarks.alternating import alternate
from benchmarks.joint_keras import PROGRAMS
from keras_compat.reporting import Run

BARE = "bare"
NAMES = (BARE, "trainer", "guarded")


def main() -> None:
    parser = output.make_parser(__doc__)
    joint_setting.add_flags(parser)
    parser.add_argument("--rounds", type=int, default=20, help="rounds a turn (20)")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each (5)")
    args = parser.parse_args()
    run = Run("joint_overhead", {**vars(args), "output": None})
    chosen = joint_setting.setting(args, "float32")
    works = {name: partial(PROGRAMS[name](chosen, "auto")[1], args.rounds) for name in NAMES}
    timed = alternate(works, args.repeats)
    for name, taken in timed.items():
        run.add("round_ms", round(taken.median_s / args.rounds * 1000, 1), variant=name)
        if name != BARE:
            overhead = taken.median_s / timed[BARE].median_s - 1
            run.add("overhead", round(overhead, 4), variant=name)
    output.report(run, args.output)


if __name__ == "__main__":
    main()
