"""Measures the time to verify a large library and the memory to load a large part.

    python -m benchmarks.store_load [--components 5000] [--output FILE]

- list_s, verify_s: `python -m apps.components` on many components, a process each; unpacked_s is
  what building every model takes instead, extrapolated from the first hundred;
- memory: the highest memory of a process that reads a large part, less what it had before, as
  multiples of the part's bytes.

`KERAS_BACKEND` chooses the backend.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import output
from keras_compat import networks
from keras_compat.reporting import Run
from keras_compat.store import Component, Reference, Store, pack, unpack

SMALL = "resnet8:filters=4"
LARGE = "wide_resnet:depth=16,width={width}@stage3"
SAMPLE = 100
READ = """
import sys
from keras_compat import networks
from keras_compat.store import Reference, Store, load
from keras_compat.store.packing import check, check_sizes
networks.build_head("resnet8:filters=4", classes=2, seed=0)
store, part = Store(sys.argv[1]), Reference("large", "1")
def highest():
    # Not ru_maxrss, in which what this process was started from still counts.
    lines = open("/proc/self/status").read().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
before = highest()
if sys.argv[2] == "load":
    load(store, part)
elif sys.argv[2] == "verify":
    assert not store.verify(before=check_sizes, also=check)
else:
    store.manifest(part)
print(highest() - before)
"""


def publish_many(store: Store, count: int) -> None:
    """Publishes extractors and heads in turn."""
    extractor = networks.build_extractor(SMALL, (8, 8, 1), interface_channels=8, seed=0)
    head = networks.build_head(SMALL, input_channels=8, classes=2, seed=0)
    packages = [
        pack(Component(extractor=extractor, extractor_architecture=SMALL)),
        pack(Component(head=head, head_architecture=SMALL, class_names=("cat", "dog"))),
    ]
    for number in range(count):
        store.publish(Reference(f"part-{number}", "1"), packages[number % 2])


def seconds(*command: str) -> float:
    """Returns what a command of the app takes."""
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "apps.components", *command], check=True, capture_output=True
    )
    return time.perf_counter() - begin


def seconds_unpacked(store: Store, count: int) -> float:
    """Returns what building all models would take."""
    sample = store.entries()[:SAMPLE]
    begin = time.perf_counter()
    for entry in sample:
        unpack(store.package(entry.reference), str(entry.reference))
    return (time.perf_counter() - begin) / len(sample) * count


def main() -> None:
    parser = output.make_parser(__doc__)
    parser.add_argument("--components", type=int, default=5000, help="how many (5000)")
    parser.add_argument("--width", type=int, default=36, help="of the large part (36: 0.9 GB)")
    args = parser.parse_args()
    large = LARGE.format(width=args.width)
    run = Run("store_load", {"components": args.components, "small": SMALL, "large": large})
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".benchmark") as folder:
        store = Store(Path(folder, "many"))
        publish_many(store, args.components)
        for name in ("list", "verify"):
            run.add(f"{name}_s", round(seconds(name, store.url), 2))
        run.add("unpacked_s", round(seconds_unpacked(store, args.components), 1))
        store = Store(Path(folder, "large"))
        extractor = networks.build_extractor(large, (32, 32, 3), interface_channels=None, seed=0)
        package = pack(Component(extractor=extractor, extractor_architecture=large))
        store.publish(Reference("large", "1"), package)
        size = package.manifest.files["weights.safetensors"].size
        run.add("part_bytes", size)
        for what in ("manifest", "verify", "load"):
            done = subprocess.run(
                [sys.executable, "-c", READ, store.url, what],
                check=True,
                capture_output=True,
                text=True,
            )
            run.add("memory_to_size", round(int(done.stdout) / size, 2), reading=what)
    output.report(run, args.output)


if __name__ == "__main__":
    main()
