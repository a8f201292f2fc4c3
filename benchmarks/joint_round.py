"""Times a round of joint training here, in PyTorch, and in Keras without auxiliaries.

    python -m benchmarks.joint_round --pytorch_python=PATH [--output FILE]

Two ResNet-20, cut after stage 2, learn with a shared rotation head and a shared head of common
classes (RP + DCC): 32 x 32 colour images, batches of 128, 10 and 9 classes, Adam. PATH is the
Python of an environment with PyTorch and NumPy (`pip install torch==2.13.0 numpy`); without it,
PyTorch is left out.

- trainer: ours, on TensorFlow and on JAX, in float32 and bfloat16;
- threads: ours on TensorFlow with a thread an operation, as many operations at once as there are
  cores (`TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=...`), in float32 and bfloat16;
- pytorch: a direct loop with the same weights and minibatches (`benchmarks/joint_pytorch.py`),
  eager and by `torch.compile`, channels first and last, and under autocast; the two fastest of a
  first run in each precision then take their turns with the others, and the faster of them counts;
- guarded: ours as the apps train, with the callback that watches for losses that are not finite
  and keeps a copy of the weights, in the first precision;
- bare: a compiled step with the same mathematics and nothing around it, in the first precision;
- fit: Keras' own `fit` of the same networks one after the other, without auxiliaries, in
  the first precision.

Every program is a process of its own; they take turns, and medians count. All that train jointly
have to do the same: as many weights and multiply-adds, and the same loss in the first rounds.

Of each: round_ms, round_cpu_ms (of all threads together: tells most on a busy machine),
images_per_s, peak_memory_mib, first_round_s (with compilation). Then

- speed_to_pytorch: the time of PyTorch's fastest in the same precision over ours, of `trainer` and
  of `threads`;
- best_speed_to_pytorch: of each side at its best, in any precision and with either threads;
- overhead: the trainer's time, plain and guarded, over the bare step's, less one (each turn begins
  a `fit`, which takes as long as a tenth of a round);
- time_to_fit: over Keras' own `fit` of the networks, with the multiply-adds' ratio beside it;
- gflops: billions of operations a second, of a round (three times its forward passes), of a large
  product of matrices and of convolutions of the shapes in it, forward and their gradients;
- of_ceiling: the trainer's over those of the product, and of all the convolutions one after the
  other.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import joint_networks, joint_setting, output
from benchmarks.joint_figures import (
    BACKENDS,
    OURS,
    Found,
    add_figures,
    add_ratios,
    by_speed,
    check_same,
)
from benchmarks.joint_setting import PRECISIONS, Setting
from benchmarks.turns import Program, take_turns
from keras_compat.machine import cores
from keras_compat.reporting import Run

PROGRAMS = ("trainer", "threads", "guarded", "bare", "fit", "ceiling")
IN_ALL_PRECISIONS = OURS
A_THREAD_AN_OPERATION = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": str(cores())}
MODES, LAYOUTS = ("eager", "compile"), ("first", "last")
# Of PyTorch in each precision: the first run is short, and a busy machine may misjudge in it.
FINALISTS = 2
INSTALL = "make one with `python -m venv DIR && DIR/bin/pip install torch==2.13.0 numpy`"


def keras_program(
    chosen: Setting,
    program: str,
    backend: str,
    jit: str = "auto",
    environment: Mapping[str, str] | None = None,
) -> Program:
    """Starts one of `benchmarks.joint_keras`."""
    flags = [f"--program={program}", f"--jit={jit}", *joint_setting.as_flags(chosen)]
    command = [sys.executable, "-m", "benchmarks.joint_keras", *flags]
    return Program(
        f"{program} on {backend}", command, {**(environment or {}), "KERAS_BACKEND": backend}
    )


def named_program(chosen: Setting, name: str, backend: str) -> Program:
    """Starts one of ours by its name in the results."""
    if name == "threads":
        return keras_program(chosen, "trainer", backend, environment=A_THREAD_AN_OPERATION)
    return keras_program(chosen, name, backend)


def ceiling_program(chosen: Setting, backend: str) -> Program:
    """Starts `benchmarks.joint_ceiling`."""
    command = [sys.executable, "-m", "benchmarks.joint_ceiling", *joint_setting.as_flags(chosen)]
    return Program(f"the ceiling on {backend}", command, {"KERAS_BACKEND": backend})


def pytorch_program(
    chosen: Setting, python: Path, weights: Path, mode: str, layout: str
) -> Program:
    """Starts `benchmarks.joint_pytorch` in its own environment."""
    flags = [f"--mode={mode}", f"--layout={layout}", f"--weights={weights}"]
    command = [python, "-m", "benchmarks.joint_pytorch", *flags, *joint_setting.as_flags(chosen)]
    return Program(f"PyTorch ({mode}, channels {layout})", list(map(str, command)), {})


def main() -> None:
    parser = output.make_parser(__doc__)
    joint_setting.add_flags(parser)
    parser.add_argument("--pytorch_python", type=Path, help=f"a Python with PyTorch; {INSTALL}")
    parser.add_argument(
        "--programs", default=",".join(PROGRAMS), help="by default all of %(default)s"
    )
    parser.add_argument("--backends", default=",".join(BACKENDS), help="by default both")
    parser.add_argument("--precisions", default=",".join(PRECISIONS), help="by default both")
    parser.add_argument("--pytorch_modes", default=",".join(MODES), help="by default both")
    parser.add_argument("--rounds", type=int, default=10, help="rounds a turn (10)")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each program (5)")
    args = parser.parse_args()
    settings = {p: joint_setting.setting(args, p) for p in args.precisions.split(",")}
    chosen = next(iter(settings.values()))
    run = Run("joint_round", {**vars(args), "output": None, "pytorch_python": None})
    found: Found = {}
    with tempfile.TemporaryDirectory() as folder:
        programs = {
            (name, backend, precision): partial(named_program, setting, name, backend)
            for precision, setting in settings.items()
            for backend in args.backends.split(",")
            for name in args.programs.split(",")
            if name != "ceiling" and (name in IN_ALL_PRECISIONS or setting is chosen)
            if name != "threads" or backend == "tensorflow"
        }
        if args.pytorch_python:
            weights = Path(folder, "weights.npz")
            joint_networks.write_weights(chosen, weights)
            rivals = {
                ("pytorch", f"{mode}, channels {layout}", precision): partial(
                    pytorch_program, setting, args.pytorch_python, weights, mode, layout
                )
                for precision, setting in settings.items()
                for mode in args.pytorch_modes.split(",")
                for layout in LAYOUTS
            }
            with run.phase("choose"):
                tried = take_turns(rivals, args.rounds, 3)
            for (_, variant, precision), value in tried.items():
                trial = round(value["wall_s"] * 1000, 1)
                run.add("trial_round_ms", trial, variant=variant, precision=precision)
            for precision in settings:
                finalists = by_speed(tried, "pytorch", precision)[:FINALISTS]
                programs |= {key: rivals[key] for key in finalists}
        else:
            print(f"without PyTorch: give --pytorch_python; {INSTALL}", file=sys.stderr)
        if "ceiling" in args.programs:
            for precision, setting in settings.items():
                for backend in args.backends.split(","):
                    programs["ceiling", backend, precision] = partial(
                        ceiling_program, setting, backend
                    )
        with run.phase("measure"):
            found = take_turns(programs, args.rounds, args.repeats, check_same)
    add_figures(run, found, chosen)
    add_ratios(run, found, chosen)
    output.report(run, args.output)


if __name__ == "__main__":
    main()
