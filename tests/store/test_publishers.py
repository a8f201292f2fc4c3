"""Many publishers at once, killed at random: nothing is lost, and no reader sees half."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from keras_compat.store import Reference, Store
from tests.helpers import python
from tests.store import made

pytestmark = pytest.mark.once
SCRIPT = Path(__file__).with_name("publishers.py")


def read_until(end: threading.Event, store: Store) -> int:
    """Reads all that is in a store, again and again; returns how many components it read."""
    seen = 0
    while not end.is_set():
        for entry in store.entries():
            store.package(entry.reference)
            seen += 1
            if end.is_set():
                break
    return seen


@pytest.mark.parametrize("count", [24, pytest.param(200, marks=pytest.mark.slow)])
def test_publishers_that_are_killed_lose_nothing(count, tmp_path):
    source, store = Store(tmp_path / "source"), Store(tmp_path / "store")
    packages = {seed: made.head_package(seed) for seed in (0, 1)}
    for seed, package in packages.items():
        source.publish(Reference("head", str(seed)), package)
    end, pool = threading.Event(), ThreadPoolExecutor(1)
    reading = pool.submit(read_until, end, store)
    done = python(SCRIPT, tmp_path / "store", tmp_path / "source", count, 8, 0)
    end.set()
    assert reading.result() > 0
    assert done.returncode == 0, done.stderr
    published = {str(entry.reference) for entry in store.entries()}
    told = [line.split()[0] for line in json.loads(done.stdout)]
    assert len(told) > count / 4
    # Each publisher that was told of a success was the only one that was told of it.
    assert len(told) == len(set(told))
    assert set(told) <= published
    # No more than those who died between the rename and the word of it.
    assert len(published) <= len(told) + count
    whole = [fault for fault in store.verify() if not fault.path.startswith(".staging/")]
    assert whole == []
    store.clean(older_than_s=0)
    assert store.verify() == []
    contents = {package.files["weights.safetensors"] for package in packages.values()}
    for name in list(published)[:20]:
        found = store.package(Reference.parse(name)).files["weights.safetensors"]
        assert found in contents


def test_of_eight_that_want_one_version_one_gets_it(tmp_path):
    package = made.head_package()
    for url in (str(tmp_path / "store"), "memory://eight"):
        store = Store(url)
        results: list[str] = []
        start = threading.Barrier(8)

        def publish(store=store, results=results, start=start):
            start.wait()
            try:
                store.publish(Reference("head", "1"), package)
                results.append("published")
            except Exception as error:
                results.append(type(error).__name__)

        threads = [threading.Thread(target=publish) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == ["AlreadyPublishedError"] * 7 + ["published"]
        assert store.verify() == []
