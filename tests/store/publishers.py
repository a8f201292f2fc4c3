"""Publishers that are killed while they work; needs neither Keras nor pytest.

`python publishers.py STORE PACKAGES COUNT AT_ONCE SEED` forks COUNT processes, AT_ONCE at a time,
each publishing versions of its own and versions that all want, until it is killed at a random
moment. It prints, as JSON, the versions whose publishers were told that they are in the store.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time

from keras_compat.store import Reference, Store
from keras_compat.store.errors import AlreadyPublishedError


def publish_for_ever(url: str, packages: list, number: int, done: int) -> None:
    """Publishes until it is killed; writes a line to `done` after each success."""
    store = Store(url)
    for version in range(10_000):
        for name in (f"own-{number}", "wanted-by-all"):
            package = packages[random.randrange(len(packages))]
            try:
                store.publish(Reference(name, str(version)), package)
            except AlreadyPublishedError:
                continue
            os.write(done, f"{name}@{version} {package.manifest.created}\n".encode())


def main(url: str, source: str, count: str, at_once: str, seed: str) -> None:
    """Starts the publishers, kills each, and prints what was published."""
    chance = random.Random(int(seed))
    origin = Store(source)
    packages = [origin.package(entry.reference) for entry in origin.entries()]
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    told, working, started = b"", {}, 0
    while started < int(count) or working:
        while started < int(count) and len(working) < int(at_once):
            child = os.fork()
            if child == 0:
                random.seed(started)
                publish_for_ever(url, packages, started, writer)
            working[child] = time.monotonic() + chance.uniform(0.001, 0.1)
            started += 1
        time.sleep(0.001)
        for child in [c for c, end in working.items() if time.monotonic() > end]:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            del working[child]
        told += _available(reader)
    print(json.dumps((told + _available(reader)).decode().splitlines()))


def _available(reader: int) -> bytes:
    found = b""
    while True:
        try:
            found += os.read(reader, 65_536)
        except BlockingIOError:
            return found


if __name__ == "__main__":
    main(*sys.argv[1:])
