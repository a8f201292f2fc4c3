from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from keras_compat.machine import peak_memory_bytes, peak_memory_gib
from keras_compat.reporting import collect_hardware

ROOT = Path(__file__).parents[2]


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


@pytest.mark.once
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells it there")
def test_a_small_process_tells_its_own_memory_not_that_of_the_one_that_started_it():
    held = bytearray(2**28)
    code = "from keras_compat.machine import peak_memory_bytes; print(peak_memory_bytes())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert 2**20 < int(done.stdout) < 2**27 < len(held) <= peak_memory_bytes()
