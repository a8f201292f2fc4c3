"""Measures time and memory of a round by networks, image size and batch size.

    python -m benchmarks.joint_growth [--output FILE]

The round of `benchmarks.joint_round` by our trainer, with one thing changed at a time; every
setting is a process of its own, and those of a series take turns. Of each: round_ms, round_cpu_ms
(of all threads together), first_round_s, peak_memory_mib, and per_image, the time of an image of
each network as a part of that in the series' first setting.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import joint_setting, output
from benchmarks.joint_round import BACKENDS, keras_program
from benchmarks.turns import take_turns
from keras_compat.reporting import Run

SERIES = {"networks": (1, 2, 4, 8), "image_size": (16, 32, 64), "batch_size": (32, 128, 512)}


def main() -> None:
    parser = output.make_parser(__doc__)
    joint_setting.add_flags(parser)
    parser.add_argument("--backend", choices=BACKENDS, default=BACKENDS[0], help="(%(default)s)")
    parser.add_argument("--series", default=",".join(SERIES), help="by default %(default)s")
    parser.add_argument("--rounds", type=int, default=2, help="rounds a turn (2)")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each (3)")
    args = parser.parse_args()
    run = Run("joint_growth", {**vars(args), "output": None}, backend=args.backend)
    base = joint_setting.setting(args, "float32")
    for name in args.series.split(","):
        settings = {size: replace(base, **{name: size}) for size in SERIES[name]}
        programs = {
            size: partial(keras_program, changed, "trainer", args.backend)
            for size, changed in settings.items()
        }
        with run.phase(name):
            found = take_turns(programs, args.rounds, args.repeats)
        first = None
        for size, value in found.items():
            keys = {"series": name, "size": size}
            per_image = value["wall_s"] / settings[size].images_per_round
            first = first or per_image
            run.add("round_ms", round(value["wall_s"] * 1000, 1), **keys)
            run.add("round_cpu_ms", round(value["cpu_s"] * 1000, 1), **keys)
            run.add("first_round_s", round(value["warming_up"][0]["wall_s"], 1), **keys)
            run.add("peak_memory_mib", round(value["peak_memory_mib"]), **keys)
            run.add("per_image", round(per_image / first, 3), **keys)
    output.report(run, args.output)


if __name__ == "__main__":
    main()
