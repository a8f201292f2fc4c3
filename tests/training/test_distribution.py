"""Training that is spread over devices and machines does what one device does.

Devices are chosen when a backend starts, so each training runs in processes of its own.
"""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from keras_compat.errors import InputError
from keras_compat.training import Distribution, current_distribution, start_distribution

ON_JAX = keras.backend.backend() == "jax"
ROOT = Path(__file__).parents[2]


def several_devices(count, flags=()):
    """The environment in which a process has so many devices, with other flags of XLA."""
    return {
        "XLA_FLAGS": " ".join((f"--xla_force_host_platform_device_count={count}", *flags)),
        "DEVICES": str(count),
        "JAX_ENABLE_X64": "1",
    }


def one_of_two(worker, port):
    """The environment of one of two workers."""
    addresses = [f"127.0.0.1:{port}", f"127.0.0.1:{port + 1}"]
    return {
        "TF_CONFIG": json.dumps(
            {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": worker}}
        ),
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": addresses[0],
        "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
        "KERAS_DISTRIBUTION_PROCESS_ID": str(worker),
    }


def free_port():
    """A port that is free, and so is the next one, most likely."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def spread(*arguments, devices, workers=1, flags=()):
    """Trains alone and spread, in as many processes; returns what each tells of the difference."""
    port = free_port()
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.training.spread", *arguments],
            env={
                **os.environ,
                **several_devices(devices, flags),
                **(one_of_two(worker, port) if workers > 1 else {}),
            },
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for worker in range(workers)
    ]
    said = [process.communicate(timeout=500) for process in processes]
    assert [p.returncode for p in processes] == [0] * workers, said[-1][1][-3000:]
    found = [json.loads(out.splitlines()[-1]) for out, _ in said]
    assert sorted(told["worker"] for told in found) == list(range(workers))
    assert {told["devices"] for told in found} == {devices * workers}
    # Two calls of `fit`: on TensorFlow each replica is traced, once for all.
    assert {told["traces"] for told in found} == {1 if ON_JAX else devices}
    return found


LOCAL, DEVICES = ("data_parallel", 8) if ON_JAX else ("mirrored", 2)


def test_several_devices_train_as_one_does_in_float64(tmp_path):
    flags = (f"--xla_dump_to={tmp_path}", "--xla_dump_hlo_as_text") if ON_JAX else ()
    (found,) = spread(LOCAL, "global", "float64", "5", devices=DEVICES, flags=flags)
    assert found["moved"] > 0.1
    assert found["apart"] < 1e-10 and found["figures_apart"] < 1e-5
    if ON_JAX:
        compiled = [f.read_text() for f in tmp_path.glob("*train_step*after_optimizations.txt")]
        (step,) = (text for text in compiled if "all-reduce" in text)
        # Sums of gradients and statistics alone: no device sends its images to the others.
        assert not re.search("all-gather|all-to-all|collective-permute", step)


@pytest.mark.slow
def test_several_devices_train_as_one_does_with_adam():
    (found,) = spread(LOCAL, "global", "float64", "20", "adam", devices=DEVICES)
    assert found["moved"] > 0.1
    assert found["apart"] < 1e-7 and found["figures_apart"] < 1e-5


@pytest.mark.slow
def test_several_devices_train_as_one_does_in_float32():
    (found,) = spread(LOCAL, "global", "float32", "1", devices=DEVICES)
    assert found["moved"] > 0.01
    assert found["apart"] < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("floatx", "rounds", "most"), [("float64", "20", 1e-10), ("float32", "1", 1e-4)]
)
def test_two_workers_train_as_one_device_does(floatx, rounds, most):
    devices = 2 if ON_JAX else 1
    for found in spread("multi_worker", "global", floatx, rounds, devices=devices, workers=2):
        assert found["moved"] > 0.01
        assert found["apart"] < most


@pytest.mark.slow
def test_statistics_of_each_device_are_others_and_train_as_well():
    (found,) = spread(LOCAL, "device", "float32", "3", devices=DEVICES)
    assert found["apart"] > 1e-3
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.training.spread_accuracy", LOCAL],
        # On JAX eight wait for each other in vain where there are few cores.
        env={**os.environ, **several_devices(2)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    over_all, by_device = json.loads(done.stdout.splitlines()[-1])
    assert over_all > 0.9 and abs(over_all - by_device) < 0.03


class OfDevices(Distribution):
    """A distribution of which only the checks are asked."""

    def fit(self, trainer, batches, **how):
        pytest.fail("only its checks are asked")

    def share(self, text=""):
        return text


def test_a_batch_that_does_not_divide_is_refused():
    OfDevices(8).check_batch(64)
    with pytest.raises(InputError, match="batch_size is 100 .* 8 devices; .* such as 96"):
        OfDevices(8).check_batch(100)
    with pytest.raises(InputError, match="batch_size is 3 .* such as 8"):
        OfDevices(8).check_batch(3)


@pytest.mark.parametrize("name", ["mirrored" if ON_JAX else "data_parallel", "horovod"])
def test_what_the_backend_does_not_have_is_refused(name):
    with pytest.raises(InputError, match=f"{name!r}; .*Known: auto, .*multi_worker"):
        start_distribution(name)
    assert current_distribution() is None


def test_unknown_statistics_are_refused():
    with pytest.raises(InputError, match="batch_statistics_over 'host'.*device, global"):
        OfDevices(2, "host")


def test_workers_that_are_not_named_are_refused(monkeypatch):
    for name in ("TF_CONFIG", *one_of_two(0, 1)):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="KERAS_DISTRIBUTION" if ON_JAX else "TF_CONFIG is ''"):
        start_distribution("multi_worker")
    if not ON_JAX:
        monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1"]}, "task": {"index": 3}}')
        with pytest.raises(InputError, match="TF_CONFIG is .*expected the addresses"):
            start_distribution("multi_worker")


def test_one_device_stays_one():
    assert start_distribution("auto") is None
    assert start_distribution("none") is None
