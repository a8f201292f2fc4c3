"""Times listing and publishing in the component store.

    python -m benchmarks.store [--output FILE]

- list: `python -m apps.components list` of 1,000 components in a folder, a process of its own, and
  beside it a process that imports nothing and reads the same manifests as plain JSON;
- publish: a component of some 45 MB, beside copying its files and syncing them; with `pack` before
  it, where the bytes are made, checksums computed and weights looked at, and without.

The two of a pair run in turn, several times over; the median counts.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import output
from keras_compat import networks
from keras_compat.reporting import Run
from keras_compat.store import Component, Package, Reference, Store, pack

COMPONENTS, REPEATS = 1_000, 5
LARGE = "wide_resnet:depth=16,width=8@stage3"
PLAIN = """
import json, os, sys
for name in os.scandir(sys.argv[1]):
    for version in os.scandir(name.path):
        json.load(open(version.path + "/manifest.json"))
"""


def head() -> Package:
    """A small component."""
    model = networks.build_head("resnet8:filters=4", input_channels=8, classes=10, seed=0)
    names = tuple(f"class {i}" for i in range(10))
    return pack(Component(head=model, head_architecture="resnet8:filters=4", class_names=names))


def seconds(work: Callable[[], object]) -> float:
    """Returns what a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def time_listing(folder: Path) -> dict[str, float]:
    """Publishes many components and lists them."""
    package = head()
    store = Store(folder)
    for i in range(COMPONENTS):
        store.publish(Reference(f"component-{i:04}", "1"), package)
    commands = {
        "list_s": [sys.executable, "-m", "apps.components", "list", str(folder)],
        "plain_json_s": [sys.executable, "-c", PLAIN, str(folder)],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(REPEATS):
        for name, command in commands.items():
            begin = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(found) for name, found in times.items()}


def time_publishing(folder: Path) -> dict[str, float]:
    """Publishes a large component, and writes as many bytes copy."""
    extractor = networks.build_extractor(LARGE, (32, 32, 3), interface_channels=None, seed=0)
    component = Component(extractor=extractor, extractor_architecture=LARGE)
    package = pack(component)
    content = package.content()
    (folder / "source").mkdir()
    for name, data in content.items():
        (folder / "source" / name).write_bytes(data)
    store = Store(folder / "store")

    def copy(place: Path) -> None:
        shutil.copytree(folder / "source", place)
        for file in place.iterdir():
            with open(file, "rb") as opened:
                os.fsync(opened.fileno())

    times: dict[str, list[float]] = {"publish_s": [], "pack_and_publish_s": [], "copy_s": []}
    for i in range(REPEATS):
        times["publish_s"].append(
            seconds(lambda i=i: store.publish(Reference("a", str(i)), package))
        )
        times["copy_s"].append(seconds(lambda i=i: copy(folder / "copied" / str(i))))
        times["pack_and_publish_s"].append(
            seconds(lambda i=i: store.publish(Reference("b", str(i)), pack(component)))
        )
        for used in ("store", "copied"):
            shutil.rmtree(folder / used)
    found = {name: statistics.median(values) for name, values in times.items()}
    return {"megabytes": sum(map(len, content.values())) / 1e6, **found}


def main() -> None:
    parser = output.make_parser(__doc__)
    args = parser.parse_args()
    run = Run("store", {"components": COMPONENTS, "repeats": REPEATS, "large": LARGE})
    # In the working directory: a temporary one may be memory, which syncs nothing.
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".benchmark") as folder:
        found = {**time_listing(Path(folder, "listed")), **time_publishing(Path(folder))}
    for name, value in found.items():
        run.add(name, round(value, 4))
    for name in ("publish", "pack_and_publish"):
        run.add("speed_to_copying", round(found["copy_s"] / found[f"{name}_s"], 3), variant=name)
    output.report(run, args.output)


if __name__ == "__main__":
    main()
