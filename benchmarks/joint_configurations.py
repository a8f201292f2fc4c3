"""Times the trainer's round with other threads, oneDNN, XLA and precision.

    python -m benchmarks.joint_configurations [--output FILE]

The round of `benchmarks.joint_round`; every configuration is a process of its own, and they take
turns. Of each: round_ms, round_cpu_ms (of all threads together), first_round_s, and ratio, its time
to that of the same backend's default.

- TensorFlow: as it is by default (a thread a core in each operation, as many operations at once),
  one operation at a time, a thread for each operation, without oneDNN, with XLA, in bfloat16,
  in bfloat16 with a thread for each operation;
- JAX: as it is by default, on one thread, with YNNPACK's convolutions, in bfloat16.
"""

from __future__ import annotations

import os
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import joint_setting, output
from benchmarks.joint_round import A_THREAD_AN_OPERATION, keras_program
from benchmarks.turns import take_turns
from keras_compat.reporting import Run

DEFAULT = "default"
YNNPACK = "LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION,LIBRARY_FUSION_TYPE_DOT"
# Name: environment, whether XLA compiles, precision.
CONFIGURATIONS: dict[str, dict[str, tuple[dict[str, str], str, str]]] = {
    "tensorflow": {
        DEFAULT: ({}, "auto", "float32"),
        "one_operation_at_a_time": ({"TF_NUM_INTEROP_THREADS": "1"}, "auto", "float32"),
        "a_thread_an_operation": (A_THREAD_AN_OPERATION, "auto", "float32"),
        "without_onednn": ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "auto", "float32"),
        "xla": ({}, "on", "float32"),
        "bfloat16": ({}, "auto", "bfloat16"),
        "bfloat16_a_thread_an_operation": (A_THREAD_AN_OPERATION, "auto", "bfloat16"),
    },
    "jax": {
        DEFAULT: ({}, "auto", "float32"),
        "one_thread": ({"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}, "auto", "float32"),
        "ynnpack": (
            {"XLA_FLAGS": f"--xla_cpu_experimental_ynn_fusion_type={YNNPACK}"},
            "auto",
            "float32",
        ),
        "bfloat16": ({}, "auto", "bfloat16"),
    },
}


def main() -> None:
    parser = output.make_parser(__doc__)
    joint_setting.add_flags(parser)
    parser.add_argument("--backends", default=",".join(CONFIGURATIONS), help="by default both")
    parser.add_argument("--rounds", type=int, default=3, help="rounds a turn (3)")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each (5)")
    args = parser.parse_args()
    run = Run("joint_configurations", {**vars(args), "output": None})
    programs = {
        (backend, name): partial(
            keras_program,
            joint_setting.setting(args, precision),
            "trainer",
            backend,
            jit,
            environment,
        )
        for backend in args.backends.split(",")
        for name, (environment, jit, precision) in CONFIGURATIONS[backend].items()
    }
    with run.phase("measure"):
        found = take_turns(programs, args.rounds, args.repeats)
    for (backend, name), value in found.items():
        keys = {"backend": backend, "variant": name}
        run.add("round_ms", round(value["wall_s"] * 1000, 1), **keys)
        run.add("round_cpu_ms", round(value["cpu_s"] * 1000, 1), **keys)
        run.add("first_round_s", round(value["warming_up"][0]["wall_s"], 1), **keys)
        ratio = value["wall_s"] / found[backend, DEFAULT]["wall_s"]
        run.add("ratio", round(ratio, 3), **keys)
    output.report(run, args.output)


if __name__ == "__main__":
    main()
