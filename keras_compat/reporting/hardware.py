"""Description of the machine that a figure was measured on, without its name or its paths."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

from keras_compat.machine import cores


def collect_hardware() -> dict[str, Any]:
    """Returns what a run's speed depends on.

    Returns:
        A dict: `system` and `machine` (such as `"Linux"`, `"x86_64"`), `cpu` (its model),
        `cores` (that this process may use), `memory_gib`, and `accelerators` (the model of each
        GPU or TPU that Keras' backend sees); and where training is spread, over how many `devices`
        of how many `workers`. No host name, no user, no path.

    Example:

    >>> hardware = collect_hardware()
    >>> hardware["cores"] >= 1
    True
    """
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "cores": cores(),
        "memory_gib": _memory_gib(),
        "accelerators": _accelerators(),
        **_spread(),
    }


def _cpu_model() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        found = None
    return found.group(1) if found else platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):  # not on Windows
        return None


def _accelerators() -> list[str]:
    import keras

    backend = keras.config.backend()
    if backend == "jax":
        import jax

        return [d.device_kind for d in jax.devices() if d.platform != "cpu"]
    if backend == "tensorflow":
        import tensorflow as tf

        devices = [d for d in tf.config.list_physical_devices() if d.device_type in ("GPU", "TPU")]
        details = tf.config.experimental.get_device_details
        return [details(d).get("device_name", d.device_type) for d in devices]
    return []


def _spread() -> dict[str, int]:
    from keras_compat.training import current_distribution

    spread = current_distribution()
    return {} if spread is None else {"devices": spread.devices, "workers": spread.workers}
