"""Times SavedModels with and without normalization folded into convolutions.

    python -m benchmarks.saved_model [--output FILE]

Writes SavedModels of networks for 32 x 32 colour images, as `keras_compat.deployment.export` does,
with normalization folded and without, loads them and calls both in turn, several times over, so
that a busy machine disturbs both alike. Milliseconds of a call (median), and the ratio of folded to
not, for one image and for 64. The networks have learnt nothing: they are as fast.
"""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np
import tensorflow as tf

from benchmarks import output
from benchmarks.alternating import alternate
from keras_compat import networks
from keras_compat.deployment import SavedModelExport
from keras_compat.deployment.conversion import write_saved_model, write_unfolded
from keras_compat.layers import set_statistics
from keras_compat.reporting import Run

ARCHITECTURES = ("resnet20", "wide_resnet10", "mobilenet_v2_small")
BATCHES = (1, 64)


def write(architecture: str, folder: str, folded: bool) -> Path:
    """Writes a SavedModel of a recombined network and returns its folder."""
    extractor = networks.build_extractor(architecture, (32, 32, 3), seed=0, name="extractor")
    channels = extractor.output_shape[-1]
    head = networks.build_head(architecture, None, channels, seed=1, name="head")
    network = networks.recombine(extractor, head)
    set_statistics(network, "moving")
    path = Path(folder, f"{architecture}-{folded}")
    job = {"path": str(path), **SavedModelExport(network, path).request()}
    (write_saved_model if folded else write_unfolded)(network, job)
    return path


def call(model: Any, images: tf.Tensor) -> np.ndarray:
    """Returns the logits of a loaded SavedModel."""
    return model.serve(images)["logits"].numpy()


def measure(run: Run, repeats: int) -> None:
    """Times every network at every batch size."""
    random = np.random.default_rng(0)
    for architecture in ARCHITECTURES:
        with tempfile.TemporaryDirectory() as folder:
            loaded = {
                name: tf.saved_model.load(str(write(architecture, folder, name == "folded")))
                for name in ("folded", "not_folded")
            }
        for batch in BATCHES:
            images = tf.constant(random.uniform(0, 255, (batch, 32, 32, 3)), tf.float32)
            calls = {name: partial(call, model, images) for name, model in loaded.items()}
            timed = alternate(calls, repeats, warm_up=2)
            keys = {"architecture": architecture, "batch_size": batch}
            for name, taken in timed.items():
                run.add("call_ms", 1000 * taken.median_s, variant=name, **keys)
            ratio = timed["folded"].median_s / timed["not_folded"].median_s
            run.add("ratio_to_not_folded", ratio, **keys)


def main() -> None:
    parser = output.make_parser(__doc__)
    parser.add_argument("--repeats", type=int, default=100, help="calls of each (100)")
    args = parser.parse_args()
    run = Run("saved_model", {"image_size": 32, "repeats": args.repeats})
    measure(run, args.repeats)
    output.report(run, args.output)


if __name__ == "__main__":
    main()
