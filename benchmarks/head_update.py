"""Measures bytes, accuracy and seconds of a head update.

    python -m benchmarks.head_update [--components DIR] [--output FILE]

The parts are those that `python -m apps.classifier_transfer` leaves: three extractors that were
trained with one head, and that head, extended by five classes and trained again on one of them.

- update_bytes, whole_bytes: for each extractor in each quantization, the archive that its device
  downloads, and the files of extractor and head, which an update of the whole model would ship;
- archive_bytes: of the archive for all of them, with the component;
- accuracy: of the shipped files, through the LiteRT interpreter, on the test images;
- accuracy_by_statistics: of the same head in Keras, with moving statistics that were measured
  behind its own extractor, behind each of the others, and behind all of them together;
- apply_s: `device_client.py apply` of that archive on each device, its Python's start included;
- extractor_bytes, head_bytes: of the phone's network in float32, by where it is cut; of networks
  that have learnt nothing, which are as large.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from benchmarks import output
from keras_compat import data, evaluation, networks
from keras_compat.data import Examples
from keras_compat.deployment import export, litert_pair, recalibrate
from keras_compat.deployment.litert import QUANTIZATIONS
from keras_compat.experiments.classifier_transfer.presets import PRESETS
from keras_compat.networks import feature_interface
from keras_compat.reporting import Run
from keras_compat.store import Component, Package, Reference, auxiliary_record, pack
from keras_compat.store.importing import load_keras_file
from keras_compat.updates import Device, device_client, install, make_update
from keras_compat.updates.devices import passing_on

PARTS = Path("runs/classifier_transfer/demo-digits/components")
IMAGES = 500
PHONE, SPLITS = "mobilenet_v2_small", ("block2", "block4", "block6")


def package(parts: Path, class_names: tuple[str, ...]) -> Package:
    """The head that was trained again, with the rotation head that all were trained against."""
    architecture = PRESETS["demo"].head
    rotation = Component(
        head=load_keras_file(parts / "rotation_head.keras"),
        head_architecture=architecture,
        task="rotation",
    )
    head = Component(
        head=load_keras_file(parts / "head_updated_frozen_extractor.keras"),
        head_architecture=architecture,
        class_names=class_names,
        auxiliaries=[auxiliary_record(pack(rotation), "shared")],
    )
    return pack(head)


def by_statistics(
    run: Run,
    extractors: dict[str, keras.Model],
    head: keras.Model,
    images: np.ndarray,
    test: Examples,
) -> None:
    """Measures one head with the statistics of its own extractor, of each other, and of all."""
    adapted = {
        name: recalibrate(extractor, passing_on(feature_interface(extractor)), images)[0]
        for name, extractor in extractors.items()
    }
    features = {
        name: extractor.predict(images.astype("float32"), verbose=0)
        for name, extractor in adapted.items()
    }
    shown = test.images.astype("float32")
    tested = {name: extractor.predict(shown, verbose=0) for name, extractor in adapted.items()}
    for behind, found in {**features, "all": np.concatenate(list(features.values()))}.items():
        own = recalibrate(passing_on(found.shape[1:]), head, found)[1]
        for name, emitted in tested.items():
            accuracy = evaluation.accuracy(own.predict(emitted, verbose=0), test.labels)
            run.add("accuracy_by_statistics", accuracy, extractor=name, behind=behind)


def by_split(run: Run, image_shape: tuple[int, ...], classes: int, images: np.ndarray) -> None:
    """Measures the files of networks that are cut at different places."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = []
        for split in SPLITS:
            name = f"{PHONE}@{split}"
            pair = (
                networks.build_extractor(name, image_shape),
                networks.build_head(name, classes=classes),
            )
            places = [Path(folder, f"{part}-{split}.tflite") for part in ("extractor", "head")]
            jobs += litert_pair(*recalibrate(*pair, images), *places)
        for file in export(jobs):
            part, split = file.path.stem.split("-")
            run.add(f"{part}_bytes", file.size_bytes, architecture=PHONE, split=split)


def main() -> None:
    parser = output.make_parser(__doc__)
    parser.add_argument("--components", type=Path, default=PARTS, help=f"by default {PARTS}")
    args = parser.parse_args()
    preset = PRESETS["demo"]
    dataset = data.load(preset.dataset, image_size=preset.image_size)
    images = evaluation.some_images(dataset.train, IMAGES)
    run = Run("head_update", {"preset": "demo", "images": IMAGES}, dataset=dataset.name)
    extractors = {
        name: load_keras_file(args.components / f"{name}_extractor.keras")
        for name in preset.extractors
    }
    head = load_keras_file(args.components / "head_updated_frozen_extractor.keras")
    by_statistics(run, extractors, head, images, dataset.test)
    by_split(run, dataset.image_shape, len(dataset.class_names), images)
    packed = package(args.components, dataset.class_names)
    with tempfile.TemporaryDirectory() as folder:
        archive, devices = Path(folder, "digits-2.zip"), []
        for name, extractor in extractors.items():
            for quantization in QUANTIZATIONS:
                place = install(
                    Path(folder, f"{name}-{quantization}"),
                    extractor,
                    Reference(name, "1"),
                    updates="digits",
                    families=packed.manifest.families,
                    quantization=quantization,
                    images=images,
                )
                devices.append(Device(place, images, dataset.test))
        found = make_update(archive, packed, devices, name="digits", number=2)
        run.add("archive_bytes", archive.stat().st_size)
        for measured, device in zip(found, devices, strict=True):
            keys = {
                "extractor": measured.component.partition("@")[0],
                "quantization": measured.quantization,
            }
            command = [sys.executable, "-I", device_client.__file__, "apply"]
            start = time.perf_counter()
            subprocess.run(
                [*command, device.folder, measured.archive], check=True, capture_output=True
            )
            run.add("apply_s", round(time.perf_counter() - start, 3), **keys)
            run.add("accuracy", measured.accuracy, **keys)
            run.add("update_bytes", measured.update_bytes, **keys)
            run.add("whole_bytes", measured.whole_bytes, **keys)
            run.add("part", round(measured.update_bytes / measured.whole_bytes, 4), **keys)
    output.report(run, args.output)


if __name__ == "__main__":
    main()
