from __future__ import annotations

import json
import socket

from keras_compat.reporting import collect_hardware
from keras_compat.reporting.hardware import peak_memory_gib


def test_hardware_describes_this_machine_and_does_not_name_it():
    hardware = collect_hardware()
    assert set(hardware) == {"system", "machine", "cpu", "cores", "memory_gib", "accelerators"}
    assert hardware["cores"] >= 1
    assert hardware["cpu"]
    assert hardware["memory_gib"] is None or hardware["memory_gib"] > 0
    assert isinstance(hardware["accelerators"], list)
    host = socket.gethostname()
    assert host not in [v for v in hardware.values() if isinstance(v, str)]
    assert "/home" not in json.dumps(hardware)


def test_peak_memory_is_what_a_process_with_numpy_holds():
    memory = peak_memory_gib()
    assert memory is None or 0.02 < memory < collect_hardware()["memory_gib"]
