"""Estimates computing and communication of a training round on many devices.

    python -m benchmarks.communication [--method rp+dcc] [--output FILE]

Builds the networks of the `paper` preset of the compatibility analysis (two ResNet-56, batch 512,
32 x 32) and counts, not measures: operations of a round, bytes of the gradients that each task's
step adds up over the devices, and of the batch statistics, with the number of messages. From these
and from what is said of the hardware (`--tflops` that a device reaches in such a step, `--gb_per_s`
of its links, `--latency_us` of a message) follow the time of a round and images per second. No
work overlaps with any other, so real rounds are shorter where communication hides behind work, and
longer where kernels are small; it is an estimate for choosing, not a result.
"""

from __future__ import annotations

import math
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks import output
from keras_compat.data import Examples, ImageDataset
from keras_compat.experiments.compatibility_analysis.cost import count_task_flops
from keras_compat.experiments.compatibility_analysis.groups import Group
from keras_compat.experiments.compatibility_analysis.presets import PRESETS
from keras_compat.experiments.compatibility_analysis.training import make_setup
from keras_compat.layers import normalization_layers
from keras_compat.reporting import Run
from keras_compat.studies.cells import Cell
from keras_compat.training import Task

BYTES = 4  # of a float32


def paper_tasks(method: str) -> tuple[list[Task], int]:
    """Returns the tasks of the paper's setting, on images of its shape, and its batch."""
    config = PRESETS["paper"]
    side = config.image_size
    examples = Examples(np.zeros((10, side, side, 3), "uint8"), np.arange(10))
    names = [f"class {number}" for number in range(10)]
    datasets = {
        name: ImageDataset(name, examples, examples, names, flippable=True)
        for name in config.datasets
    }
    setup = make_setup(config, Cell(method, seed=0), Group(datasets, common=9))
    return list(setup.tasks.values()), config.training.batch_size


def normalized(task: Task) -> list[int]:
    """Returns the channels of each normalization that a step of a task does."""
    calls = [task.extractor, task.head] if task.head is not None else [task.extractor]
    for held in task.auxiliaries:
        calls += [task.extractor] * held.auxiliary.transforms_images
        calls += [held.head] if held.head is not None else []
    return [layer.moving_mean.shape[0] for part in calls for layer in normalization_layers(part)]


def ring(size: float, devices: int) -> float:
    """Returns the bytes that each device sends to add up `size` bytes in a ring."""
    return 2 * (devices - 1) / devices * size


def main() -> None:
    parser = output.make_parser(__doc__)
    parser.add_argument("--method", default="rp+dcc", help="of the analysis (rp+dcc)")
    parser.add_argument("--tflops", type=float, default=20, help="that a device reaches (20)")
    parser.add_argument("--gb_per_s", type=float, default=100, help="of a device's links (100)")
    parser.add_argument("--latency_us", type=float, default=15, help="of a message (15)")
    parser.add_argument("--devices", default="1,2,4,8,16,32", help="how many (1,2,4,8,16,32)")
    args = parser.parse_args()
    tasks, batch = paper_tasks(args.method)
    learnt = [sum(math.prod(v.shape) for v in task.learnt_variables()) for task in tasks]
    channels = [count for task in tasks for count in normalized(task)]
    flops = batch * sum(map(count_task_flops, tasks))
    run = Run("communication", {name: str(value) for name, value in vars(args).items()})
    run.add("flops_per_round", flops)
    run.add("gradient_bytes_per_round", BYTES * sum(learnt))
    # Mean and variance forward, and their gradients backward.
    run.add("statistics_bytes_per_round", BYTES * 2 * 2 * sum(channels))
    run.add("statistics_messages_per_round", 2 * len(channels))
    for devices in map(int, args.devices.split(",")):
        several = devices > 1
        computing = flops / devices / (args.tflops * 1e12)
        for over in ("global", "device"):
            size = ring(BYTES * sum(learnt), devices)
            messages = len(tasks) + 1  # and the figures of the round
            if over == "global":
                size += ring(BYTES * 4 * sum(channels), devices)
                messages += 2 * len(channels)
            sending = several * (size / (args.gb_per_s * 1e9) + messages * args.latency_us * 1e-6)
            keys = {"devices": devices, "statistics_over": over}
            run.add("sent_mb_per_device", round(size / 1e6, 2), **keys)
            run.add("computing_ms", round(1e3 * computing, 2), **keys)
            run.add("sending_ms", round(1e3 * sending, 2), **keys)
            images = len(tasks) * batch / (computing + sending)
            run.add("images_per_s", round(images), **keys)
    output.report(run, args.output)


if __name__ == "__main__":
    main()
