"""Times the whole demo with the apps' thread settings and with TensorFlow's own.

    python -m benchmarks.demo_threads [--output FILE] [-- FLAGS]

Runs `python -m apps.classifier_transfer FLAGS` from loading to export, in turn, and prints the
median seconds of a run (run_s) and their ratio to those of TensorFlow's own threads:

- tensorflow: as many threads in each operation as there are cores, as many operations at a time;
- apps: what `keras_compat.experiments.start_up.spread_operations` chooses, which differs on two
  cores.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import partial

from benchmarks import output
from benchmarks.alternating import alternate
from keras_compat.reporting import Run

# To TensorFlow nought threads are as many as it likes.
VARIANTS = {
    "tensorflow": {"TF_NUM_INTRAOP_THREADS": "0", "TF_NUM_INTEROP_THREADS": "0"},
    "apps": {},
}


def run_demo(flags: list[str], environment: dict[str, str]) -> None:
    """Runs the demo in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "apps.classifier_transfer", *flags]
        subprocess.run(
            [*command, f"--output_dir={folder}/run"],
            check=True,
            capture_output=True,
            env={**os.environ, "KERAS_BACKEND": "tensorflow", **environment},
        )


def main() -> None:
    parser = output.make_parser(__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="runs of each (3)")
    parser.add_argument("flags", nargs="*", help="of the app")
    args = parser.parse_args()
    run = Run("demo_threads", {**vars(args), "output": None})
    works = {name: partial(run_demo, args.flags, changes) for name, changes in VARIANTS.items()}
    timed = alternate(works, args.repeats, warm_up=0)
    for name, taken in timed.items():
        run.add("run_s", round(taken.median_s, 1), variant=name)
        ratio = taken.median_s / timed["tensorflow"].median_s
        run.add("ratio", round(ratio, 3), variant=name)
    output.report(run, args.output)


if __name__ == "__main__":
    main()
