"""The results of `benchmarks.joint_round`, and the checks that its programs do the same work."""

from __future__ import annotations

from statistics import harmonic_mean
from typing import Any

from benchmarks.joint_setting import PRECISIONS, Setting
from keras_compat.reporting import Run

BACKENDS = ("tensorflow", "jax")
# Our trainer, as TensorFlow sets itself up and with a thread an operation.
OURS = ("trainer", "threads")
# The programs that train jointly.
JOINT = (*OURS, "guarded", "bare", "pytorch")
# Adam divides by the gradient's size, so that rounding grows fast: only the first rounds agree.
SAME_LOSS = (5e-4, 1e-2, 5e-2)


Key = tuple[str, str, str]
Found = dict[Key, dict[str, Any]]


def check_same(found: Found) -> None:
    """Raises an error unless all programs that train jointly do the same.

    Raises:
        ValueError: when weights, multiply-adds or the losses of the first rounds differ.
    """
    joint = {key: value for key, value in found.items() if key[0] in JOINT}
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


def by_speed(found: Found, program: str, precision: str) -> list[Key]:
    """Returns the keys of a program's variants in a precision, the fastest first."""
    keys = [key for key in found if key[0] == program and key[2] == precision]
    return sorted(keys, key=lambda key: found[key]["wall_s"])


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


def add_ratios(run: Run, found: Found, chosen: Setting) -> None:
    """Adds what is compared: of the same run, so that a busy machine was busy for all."""
    for backend in BACKENDS:
        rivals = {p: keys[0] for p in PRECISIONS if (keys := by_speed(found, "pytorch", p))}
        ours = {key: found[key] for key in found if key[0] in OURS and key[1] == backend}
        for (program, _, precision), value in ours.items():
            keys = {"backend": backend, "precision": precision}
            if precision in rivals:
                speed = found[rivals[precision]]["wall_s"] / value["wall_s"]
                run.add("speed_to_pytorch", round(speed, 3), **keys, program=program)
            if program != "trainer":
                continue
            _add_beside_keras(run, found, keys)
            ceiling = found.get(("ceiling", backend, precision))
            for work, limit in _ceilings(ceiling or {}).items():
                run.add("of_ceiling", round(gflops(value, chosen) / limit, 3), **keys, work=work)
        if ours and rivals:
            best = min(found[key]["wall_s"] for key in rivals.values())
            speed = best / min(value["wall_s"] for value in ours.values())
            run.add("best_speed_to_pytorch", round(speed, 3), backend=backend)


def _add_beside_keras(run: Run, found: Found, keys: dict[str, str]) -> None:
    """Adds our trainer's times over those of a bare step and of a plain `fit`."""
    backend, precision = keys["backend"], keys["precision"]
    bare = found.get(("bare", backend, precision))
    for program in ("trainer", "guarded"):
        value = found.get((program, backend, precision))
        if bare and value:
            overhead = value["wall_s"] / bare["wall_s"] - 1
            run.add("overhead", round(overhead, 3), **keys, program=program)
    fit, value = found.get(("fit", backend, precision)), found["trainer", backend, precision]
    if fit:
        run.add("time_to_fit", round(value["wall_s"] / fit["wall_s"], 3), **keys)
        ratio = value["multiply_adds"] / fit["multiply_adds"]
        run.add("multiply_adds_to_fit", round(ratio, 3), **keys)


def _ceilings(value: dict[str, Any]) -> dict[str, float]:
    """Returns billions of operations a second of a product, and of all convolutions in turn.

    Each of the convolutions is as many operations, and a round has about as many of one as of
    another.
    """
    speeds = [value[name] for name in value if name.startswith("convolution")]
    if not speeds:
        return {}
    return {"product": value["product_gflops"], "convolutions": harmonic_mean(speeds)}
