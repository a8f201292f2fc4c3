"""A large part takes twice its size to load, and where that is not free, one line."""

import pytest

from keras_compat import networks
from keras_compat.errors import InputError
from keras_compat.store import Component, Reference, Store, pack, packing, weights
from keras_compat.store.errors import TooLargeError
from keras_compat.store.memory import memory_for
from tests.helpers import python
from tests.store import made

LARGE = "wide_resnet:depth=16,width=12@stage3"
LOAD = """
import resource, sys
from keras_compat import networks
from keras_compat.errors import InputError
from keras_compat.store import Reference, Store, load
from keras_compat.store.memory import _line_of
networks.build_head("resnet8:filters=4", classes=2, seed=0)
store, part = Store(sys.argv[1]), Reference("large", "1")
size = store.manifest(part).files["weights.safetensors"].size
before = _line_of("/proc/self/status", "VmHWM:")
load(store, part)
print(1024 * (_line_of("/proc/self/status", "VmHWM:") - before) / size)
for share in (0.2, 1.2, 1.9):
    limit = 1024 * _line_of("/proc/self/status", "VmSize:") + int(share * size)
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    try:
        load(store, part)
    except InputError as error:
        print(error)
"""


def test_loading_takes_twice_the_size_and_less_memory_is_one_line(tmp_path):
    extractor = networks.build_extractor(LARGE, (32, 32, 3), interface_channels=None, seed=0)
    package = pack(Component(extractor=extractor, extractor_architecture=LARGE))
    Store(tmp_path).publish(Reference("large", "1"), package)
    done = python("-c", LOAD, tmp_path)
    factor, *lines = done.stdout.splitlines()
    assert float(factor) < 2.2, done.stdout
    assert len(lines) == 3 and all("MiB are free" in line for line in lines), done.stdout
    assert done.returncode == 0 and "panicked" not in done.stderr


@pytest.mark.once
@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        type("PanicException", (BaseException,), {})("Python API call failed"),
        type("ResourceExhaustedError", (Exception,), {})("OOM when allocating tensor"),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes."),
        RuntimeError("can't start new thread"),
    ],
)
@pytest.mark.parametrize("place", ["read_weights", "write_weights"])
def test_errors_of_every_library_are_one_line(error, place, tmp_path, monkeypatch):
    def fail(*given):
        raise error

    package = made.head_package()
    monkeypatch.setattr(weights, place, fail)
    with pytest.raises(TooLargeError, match="takes more memory than is free"):
        packing.unpack(package, "head@1") if place == "read_weights" else pack(made.head())


@pytest.mark.once
def test_other_errors_stay():
    with pytest.raises(KeyError), memory_for("head@1"):
        raise KeyError("x")


@pytest.mark.once
def test_a_file_that_memory_does_not_hold_is_a_fault_of_its_component(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.publish(Reference("head", "1"), made.head_package())
    read = type(store._storage).read

    def short(self, path, limit):
        if path.endswith("weights.safetensors"):
            raise MemoryError
        return read(self, path, limit)

    monkeypatch.setattr(type(store._storage), "read", short)
    (fault,) = store.verify()
    assert fault.error.startswith("weights.safetensors of head@1 takes more memory")
    with pytest.raises(InputError):
        store.package(Reference("head", "1"))
