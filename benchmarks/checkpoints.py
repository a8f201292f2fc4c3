"""Measures the seconds and bytes that a checkpoint takes.

    python -m benchmarks.checkpoints [--output FILE]

Writes checkpoints of the first stage of classifier transfer (three extractors, a head and a
rotation head, Adam) of each preset, as `keras_compat.experiments.runner.checkpointing` does,
several times over:
bytes of one, seconds of processor time and of wall time (median), and the part of a minute, the
time between two, that these take. The networks have learnt for one round; images are random.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from benchmarks import output
from benchmarks.first_stage import first_stage
from keras_compat.data import Examples, ImageDataset
from keras_compat.experiments.classifier_transfer.presets import PRESETS
from keras_compat.experiments.settings import CHECKPOINT_SECONDS
from keras_compat.reporting import Run
from keras_compat.training import Trainer
from keras_compat.training.checkpoints import Checkpoint, Checkpoints
from keras_compat.training.state import groups, read_state

CLASSES = 5


def trained(preset: str) -> Trainer:
    """Returns a trainer with all the state that it has after a round."""
    config = PRESETS[preset]
    channels = 1 if config.dataset == "digits" else 3
    random = np.random.default_rng(0)
    shape = (4 * CLASSES, config.image_size, config.image_size, channels)
    examples = Examples(random.integers(0, 256, shape, "uint8"), np.arange(shape[0]) % CLASSES)
    names = tuple(f"class {i}" for i in range(CLASSES))
    dataset = ImageDataset("random", examples, examples, names, flippable=channels == 3)
    trainer = first_stage(config, dataset, CLASSES)
    trainer.compile(keras.optimizers.Adam(0.01))
    trainer.fit(
        dict.fromkeys(config.extractors, examples), batch_size=4, steps_per_epoch=1, verbose=0
    )
    return trainer


def measure(run: Run, preset: str, repeats: int) -> None:
    """Writes checkpoints and times each."""
    trainer = trained(preset)
    processor, wall = [], []
    # In the working directory: a temporary one may be memory, which syncs nothing.
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".benchmark") as folder:
        checkpoints = Checkpoints(Path(folder))
        for _ in range(repeats):
            begin = time.process_time(), time.perf_counter()
            checkpoints.save(Checkpoint(read_state(trainer), {"groups": groups(trainer)}))
            processor.append(time.process_time() - begin[0])
            wall.append(time.perf_counter() - begin[1])
        size = max(file.stat().st_size for file in Path(folder).iterdir())
    run.add("megabytes", size / 1e6, preset=preset)
    for kind, found in (("processor", processor), ("wall", wall)):
        seconds = statistics.median(found)
        run.add("seconds", seconds, preset=preset, time=kind)
        run.add("part_of_training", seconds / CHECKPOINT_SECONDS, preset=preset, time=kind)


def main() -> None:
    parser = output.make_parser(__doc__)
    parser.add_argument("--repeats", type=int, default=15, help="checkpoints of each preset (15)")
    args = parser.parse_args()
    run = Run("checkpoints", {"repeats": args.repeats, "every_s": CHECKPOINT_SECONDS})
    for preset in ("demo", "cpu", "paper"):
        measure(run, preset, args.repeats)
    output.report(run, args.output)


if __name__ == "__main__":
    main()
