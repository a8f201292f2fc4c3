"""One round of joint training here, in PyTorch, and in Keras without auxiliaries.

    python -m benchmarks.joint_round --pytorch_python=PATH [--output FILE]

Two ResNet-20, cut after stage 2, learn with a shared rotation head and a shared head of common
classes (RP + DCC): 32 x 32 colour images, batches of 128, 10 and 9 classes, Adam. PATH is the
Python of an environment with PyTorch and NumPy (`pip install torch==2.13.0 numpy`); without it,
PyTorch is left out.

- trainer: ours, on TensorFlow and on JAX, in float32 and bfloat16;
- pytorch: a direct loop with the same weights and minibatches (`benchmarks/joint_pytorch.py`),
  eager and by `torch.compile`, channels first and last, and under autocast; a first run chooses
  the fastest for each precision, which then takes its turns with the others;
- bare: a compiled step with the same mathematics and nothing around it;
- fit: Keras' own `fit` of the same networks one after the other, without auxiliaries.

Every program is a process of its own; they take turns, and medians count. All that train jointly
have to do the same: as many weights and multiply-adds, and the same loss in the first rounds.

Of each: round_ms, round_cpu_ms (of all threads together: tells most on a busy machine),
images_per_s, peak_memory_mib, first_round_s (with compilation). Then

- speed_to_pytorch: the time of PyTorch's fastest in the same precision over ours;
- best_speed_to_pytorch: of each side in its own best precision;
- overhead: the trainer's time over the bare step's, less one;
- time_to_fit: over Keras' own `fit` of the networks, with the multiply-adds' ratio beside it;
- gflops: of a product of matrices and of convolutions on TensorFlow, and a round's share of these,
  counting three times its forward passes.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import joint_networks, joint_setting
from benchmarks.joint_setting import PRECISIONS, Setting
from benchmarks.turns import Program, take_turns
from keras_compat.reporting import Run

PROGRAMS = ("trainer", "bare", "fit", "ceiling")
BACKENDS = ("tensorflow", "jax")
PYTORCH = [(mode, layout) for mode in ("eager", "compile") for layout in ("first", "last")]
INSTALL = "make one with `python -m venv DIR && DIR/bin/pip install torch==2.13.0 numpy`"
# Adam divides by the gradient's size, so that rounding grows fast: only the first rounds agree.
SAME_LOSS = (1e-4, 1e-2, 5e-2)

Key = tuple[str, str, str]
Found = dict[Key, dict[str, Any]]


def keras_program(chosen: Setting, program: str, backend: str, jit: str = "auto") -> Program:
    """Starts one of `benchmarks.joint_keras`."""
    flags = [f"--program={program}", f"--jit={jit}", *joint_setting.as_flags(chosen)]
    command = [sys.executable, "-m", "benchmarks.joint_keras", *flags]
    return Program(f"{program} on {backend}", command, {"KERAS_BACKEND": backend})


def ceiling_program(chosen: Setting) -> Program:
    """Starts `benchmarks.joint_ceiling`."""
    command = [sys.executable, "-m", "benchmarks.joint_ceiling", *joint_setting.as_flags(chosen)]
    return Program("the ceiling", command, {})


def pytorch_program(
    chosen: Setting, python: Path, weights: Path, mode: str, layout: str
) -> Program:
    """Starts `benchmarks.joint_pytorch` in its own environment."""
    flags = [f"--mode={mode}", f"--layout={layout}", f"--weights={weights}"]
    command = [python, "-m", "benchmarks.joint_pytorch", *flags, *joint_setting.as_flags(chosen)]
    return Program(f"PyTorch ({mode}, channels {layout})", list(map(str, command)), {})


def check_same(found: Found) -> None:
    """Raises an error unless all programs that train jointly do the same.

    Raises:
        ValueError: when weights, multiply-adds or the losses of the first rounds differ.
    """
    joint = {key: value for key, value in found.items() if key[0] in ("trainer", "bare", "pytorch")}
    (first, expected), *others = joint.items()
    for key, value in others:
        for count in ("parameters", "multiply_adds"):
            if value[count] != expected[count]:
                raise ValueError(
                    f"{count}: {value[count]} of {key} and {expected[count]} of {first}; expected "
                    "as many"
                )
    exact = {key: value for key, value in joint.items() if "float32" in key}
    for key, value in exact.items():
        reference = next(iter(exact.values()))
        pairs = zip(value["warming_up"], reference["warming_up"], SAME_LOSS, strict=True)
        for number, (one, other, tolerance) in enumerate(pairs):
            if abs(one["loss"] / other["loss"] - 1) > tolerance:
                raise ValueError(
                    f"round {number}: loss {one['loss']} of {key} and {other['loss']} of "
                    f"{next(iter(exact))}; expected the same up to {tolerance}"
                )


def fastest(found: Found, program: str, precision: str) -> Key | None:
    """Returns the key of the fastest of some programs in a precision; `None` if there is none."""
    keys = [key for key in found if key[0] == program and key[2] == precision]
    return min(keys, key=lambda key: found[key]["wall_s"], default=None)


def add_figures(run: Run, found: Found, chosen: Setting) -> None:
    """Adds what was measured of each program."""
    for (program, variant, precision), value in found.items():
        keys = {"program": program, "variant": variant, "precision": precision}
        if program == "ceiling":
            for name in [name for name in value if name.endswith("gflops")]:
                run.add("gflops", round(value[name], 1), **keys, work=name.removesuffix("_gflops"))
            continue
        run.add("round_ms", round(value["wall_s"] * 1000, 1), **keys)
        run.add("round_cpu_ms", round(value["cpu_s"] * 1000, 1), **keys)
        run.add("images_per_s", round(chosen.images_per_round / value["wall_s"], 1), **keys)
        run.add("peak_memory_mib", round(value["peak_memory_mib"]), **keys)
        run.add("first_round_s", round(value["warming_up"][0]["wall_s"], 1), **keys)
        run.add("gflops", round(gflops(value, chosen), 1), **keys, work="round")


def gflops(value: dict[str, Any], chosen: Setting) -> float:
    """Returns a round's speed: forward once, and the gradients twice as much."""
    return 3 * 2 * value["multiply_adds"] * chosen.batch_size / value["wall_s"] / 1e9


def add_ratios(run: Run, found: Found) -> None:
    """Adds what is compared: of the same run, so that a busy machine was busy for all."""
    for backend in BACKENDS:
        times = {p: found.get(("trainer", backend, p), {}).get("wall_s") for p in PRECISIONS}
        times = {precision: time for precision, time in times.items() if time}
        rivals = {p: fastest(found, "pytorch", p) for p in PRECISIONS}
        rivals = {p: found[key]["wall_s"] for p, key in rivals.items() if key}
        for precision, time in times.items():
            keys = {"backend": backend, "precision": precision}
            if precision in rivals:
                run.add("speed_to_pytorch", round(rivals[precision] / time, 3), **keys)
            for program, metric, minus in (("bare", "overhead", 1), ("fit", "time_to_fit", 0)):
                other = found.get((program, backend, precision))
                if other:
                    run.add(metric, round(time / other["wall_s"] - minus, 3), **keys)
                if other and program == "fit":
                    work = found["trainer", backend, precision]["multiply_adds"]
                    ratio = work / other["multiply_adds"]
                    run.add("multiply_adds_to_fit", round(ratio, 3), **keys)
        if times and rivals:
            best = min(rivals.values()) / min(times.values())
            run.add("best_speed_to_pytorch", round(best, 3), backend=backend)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    joint_setting.add_flags(parser)
    parser.add_argument("--pytorch_python", type=Path, help=f"a Python with PyTorch; {INSTALL}")
    parser.add_argument(
        "--programs", default=",".join(PROGRAMS), help="by default all of %(default)s"
    )
    parser.add_argument("--backends", default=",".join(BACKENDS), help="by default both")
    parser.add_argument("--precisions", default=",".join(PRECISIONS), help="by default both")
    parser.add_argument("--rounds", type=int, default=5, help="rounds a turn (5)")
    parser.add_argument("--repeats", type=int, default=7, help="turns of each program (7)")
    parser.add_argument("--output", type=Path, help="write the JSON here")
    args = parser.parse_args()
    settings = {p: joint_setting.setting(args, p) for p in args.precisions.split(",")}
    chosen = next(iter(settings.values()))
    run = Run("joint_round", {**vars(args), "output": None, "pytorch_python": None})
    found: Found = {}
    with tempfile.TemporaryDirectory() as folder:
        programs = {
            (name, backend, precision): partial(keras_program, setting, name, backend)
            for precision, setting in settings.items()
            for backend in args.backends.split(",")
            for name in args.programs.split(",")
            if name != "ceiling"
        }
        if args.pytorch_python:
            weights = Path(folder, "weights.npz")
            joint_networks.write_weights(chosen, weights)
            rivals = {
                ("pytorch", f"{mode}, channels {layout}", precision): partial(
                    pytorch_program, setting, args.pytorch_python, weights, mode, layout
                )
                for precision, setting in settings.items()
                for mode, layout in PYTORCH
            }
            with run.phase("choose"):
                tried = take_turns(rivals, args.rounds, 3)
            for (_, variant, precision), value in tried.items():
                trial = round(value["wall_s"] * 1000, 1)
                run.add("trial_round_ms", trial, variant=variant, precision=precision)
            chosen_keys = [fastest(tried, "pytorch", precision) for precision in settings]
            programs |= {key: rivals[key] for key in chosen_keys}
        else:
            print(f"without PyTorch: give --pytorch_python; {INSTALL}", file=sys.stderr)
        if "ceiling" in args.programs:
            for precision, setting in settings.items():
                programs["ceiling", "tensorflow", precision] = partial(ceiling_program, setting)
        with run.phase("measure"):
            found = take_turns(programs, args.rounds, args.repeats)
    check_same(found)
    add_figures(run, found, chosen)
    add_ratios(run, found)
    for record in run.results:
        print(record)
    if args.output:
        run.write(args.output)


if __name__ == "__main__":
    main()
