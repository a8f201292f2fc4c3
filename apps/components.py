"""Publishes, finds, checks, recombines and ships parts of networks."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps import command_line
from apps import flags as common
from keras_compat.errors import InputError
from keras_compat.jobs.start_up import quiet_start

if TYPE_CHECKING:
    import numpy as np

    from keras_compat.data.options import LoadOptions
    from keras_compat.store import Component, Fault, Manifest, Reference, Store

EXAMPLES = """examples:
  python -m apps.components publish parts digits@1 --network=runs/.../networks/digits
  python -m apps.components publish parts phone@1 --extractor=phone.keras \\
      --architecture=resnet8@stage2
  python -m apps.components list parts --kind=extractor
  python -m apps.components check parts phone@1 digits-head@1 --images=folder:PICTURES
  python -m apps.components retrain parts server@1 digits-head@1 digits-head@2 \\
      --data=folder:PICTURES
  python -m apps.components recombine parts phone@1 digits-head@1 phone-digits@1
  python -m apps.components adapt parts phone-digits@1 phone-digits@2 --images=folder:PICTURES
  python -m apps.components export parts phone-digits@2 shipped --formats=litert,onnx \\
      --parts=extractor,head,network --quantization=float32,int8 --images=folder:PICTURES
  python -m apps.components install parts phone@1 phone --updates=digits --images=folder:PICTURES
  python -m apps.components update parts digits-head@2 digits-2.zip --number=2 \\
      --devices=phone,server --data=folder:SORTED
  python -m apps.components receive parts digits-2.zip digits-head@2

A store is a folder, or a URL that fsspec reads: s3://bucket/parts, hf://datasets/me/parts, ...
NAME@VERSION is one component, NAME@latest the highest version, NAME@ALIAS what alias points at.
"""

_MODES = ("shared", "frozen")
_FORMATS = ("saved_model", "litert", "onnx")
_PARTS = ("extractor", "head", "network")
_QUANTIZATIONS = ("float32", "float16", "dynamic", "int8")


def make_parser() -> argparse.ArgumentParser:
    """Returns the commands with their flags."""
    parser = command_line.parser(__doc__, EXAMPLES)
    commands = parser.add_subparsers(title="commands", dest="command", required=True)

    def command(run: Callable[[Any], None], text: str, *words: str) -> argparse.ArgumentParser:
        added = commands.add_parser(run.__name__.rstrip("_"), help=text, description=text)
        for word in ("store", *words):
            added.add_argument(word, metavar=word.upper())
        added.set_defaults(run=run)
        return added

    flags = command(publish, "add a version", "reference")
    flags.add_argument("--network", help="a folder that a job wrote under networks/: all its parts")
    flags.add_argument("--run", dest="job", help="a folder of apps.classifier_transfer: all parts")
    flags.add_argument("--extractor", help="a .keras file of your own")
    flags.add_argument("--head", help="a .keras file of your own")
    flags.add_argument("--architecture", help="of the files: ARCHITECTURE@SPLIT")
    flags.add_argument("--head_architecture", help="of the head, if it is another")
    flags.add_argument("--classes", help="names of the head's outputs, with commas between")
    flags.add_argument("--task", help="of an auxiliary head: rotation, ...")
    flags.add_argument(
        "--auxiliaries", help="it was trained against: NAME@VERSION=shared or =frozen, ..."
    )
    flags.add_argument("--metrics", help="what was measured: NAME=NUMBER with commas between")
    flags.add_argument("--licence", default="unspecified", help="an SPDX expression: Apache-2.0")
    _add_images(flags, required=False)

    flags = command(list_, "show what there is")
    flags.add_argument("--kind", help="extractor, head, auxiliary_head or network")
    flags.add_argument("--family", help="of a component: those that share an auxiliary head")
    flags.add_argument("--class", dest="class_name", help="heads that know this class")
    flags.add_argument("--json", action="store_true", help="for programs")

    flags = command(show, "show all that is said of a component", "reference")
    flags.add_argument("--json", action="store_true", help="its manifest")

    flags = command(check, "tell without labels whether a head works", "extractor", "head")
    _add_images(flags)
    flags.add_argument("--json", action="store_true", help="for programs")

    command(recombine, "put a head on an extractor", "extractor", "head", "new")

    flags = command(
        retrain, "teach a head new classes, on one frozen extractor", "extractor", "head", "new"
    )
    flags.add_argument("--data", required=True, help="labelled images, of the old classes too")
    flags.add_argument("--rounds", type=int, default=300, help="steps (300)")
    flags.add_argument("--batch_size", type=int, default=128, help="images a step (128)")
    flags.add_argument("--learning_rate", type=float, default=1e-2, help="the highest (0.01)")
    flags.add_argument("--seed", type=int, default=0)
    _add_reading(flags)

    flags = command(evaluate, "test a network", "reference")
    flags.add_argument("--data", required=True, help="labelled images")
    _add_reading(flags)

    flags = command(adapt, "give a network moving statistics", "reference", "new")
    _add_images(flags)

    flags = command(
        export, "write a network for servers, desktops and phones", "reference", "folder"
    )
    flags.add_argument(
        "--formats", default="saved_model,litert", help=f"of {', '.join(_FORMATS)}; with commas"
    )
    flags.add_argument(
        "--parts", default="extractor,head", help=f"of litert and onnx: {', '.join(_PARTS)}"
    )
    flags.add_argument(
        "--quantization",
        default="float32",
        help=f"of litert: {', '.join(_QUANTIZATIONS)}; int8 needs --images",
    )
    flags.add_argument("--uint8_input", action="store_true", help="int8 takes images as uint8")
    _add_images(flags, required=False)
    flags.add_argument("--overwrite", action="store_true", help="replace what is in FOLDER")

    flags = command(install, "write the folder of a device", "extractor", "folder")
    flags.add_argument("--updates", required=True, help="the name of the updates it takes")
    flags.add_argument("--format", default="float32", help="float32, float16, dynamic or int8")
    _add_images(flags, required=False)
    flags.add_argument("--overwrite", action="store_true", help="replace FOLDER, with its heads")

    flags = command(update, "write a head's update for devices", "head", "archive")
    flags.add_argument("--devices", required=True, help="their folders, with commas between")
    flags.add_argument("--number", type=int, required=True, help="higher than of any before")
    flags.add_argument("--data", required=True, help="labelled images, to measure it on")
    _add_images(flags, required=False)
    flags.add_argument("--no_component", action="store_true", help="leave out what servers need")
    flags.add_argument(
        "--least_accuracy", type=float, default=0.0, help="write nothing if a device has less"
    )
    flags.add_argument("--json", action="store_true", help="for programs")
    flags.add_argument("--overwrite", action="store_true", help="replace ARCHIVE")

    command(receive, "publish the head that is in an update", "archive", "reference")

    flags = command(alias, "make an alias point at a version", "reference", "alias")
    flags.add_argument("--remove", action="store_true", help="remove the alias instead")

    flags = command(verify, "read everything and say what is wrong")
    flags.add_argument(
        "--clean", action="store_true", help="remove what publishers left more than an hour ago"
    )

    command(remove, "remove a version", "reference")
    return parser


def _add_images(flags: argparse.ArgumentParser, required: bool = True) -> None:
    flags.add_argument(
        "--images", required=required, help="images of its kind; labels are not used"
    )
    flags.add_argument("--count", type=int, default=500, help="of images, at most (500)")
    _add_reading(flags)


def _add_reading(flags: argparse.ArgumentParser) -> None:
    flags.add_argument("--data_dir", help="where TensorFlow Datasets keeps its data")
    flags.add_argument("--download", action="store_true", help="let TensorFlow Datasets download")


def publish(flags: Any) -> None:
    """Adds a version."""
    store, reference = _store(flags), _reference(flags.reference)
    given = {part: getattr(flags, part) for part in ("extractor", "head") if getattr(flags, part)}
    if flags.images and given:
        raise InputError(
            f"--images is {flags.images!r}; expected it with --network or --run, whose head is "
            "measured on its own extractor"
        )
    if sum(map(bool, (flags.network, flags.job, given))) != 1:
        raise InputError("expected --network, or --run, or --extractor and --head or one of them")
    _start()
    from keras_compat.jobs.components import publishing
    from keras_compat.store import Component

    if flags.network or flags.job:
        every = publishing.publish_network if flags.network else publishing.publish_run
        folder = flags.network or flags.job
        look = _look(flags) if flags.images else None
        for found in every(store, reference, folder, flags.licence, look):
            print(f"published {found}")
        return
    if not (flags.architecture or (set(given) == {"head"} and flags.head_architecture)):
        raise InputError("--architecture is missing; expected what the file was built by")
    auxiliaries = common.pairs(common.words(flags.auxiliaries or ""), "auxiliary", "NAME=MODE")
    for name, mode in auxiliaries.items():
        if mode not in _MODES:
            raise InputError(f"auxiliary {name} is {mode!r}; expected shared or frozen")
    component = Component(
        class_names=tuple(common.words(flags.classes or "")),
        task=flags.task,
        metrics=_metrics(flags.metrics or ""),
        licence=flags.licence,
    )
    architectures = {
        "extractor": flags.architecture or "",
        "head": flags.head_architecture or flags.architecture or "",
    }
    publishing.publish_files(
        store, reference, given, architectures, component, list(auxiliaries.items())
    )
    print(f"published {reference}")


def _look(flags: Any) -> Callable[[Component], np.ndarray]:
    """Reads some images for an extractor, when it is known which."""
    from keras_compat.jobs.components.using import unlabelled

    count, options = _count(flags.count), _reading(flags)

    def look(component: Component) -> np.ndarray:
        return unlabelled(flags.images, count, component.extractor.input_shape[1:], options)[0]

    return look


def list_(flags: Any) -> None:
    """Shows what there is."""
    from keras_compat.store.manifest import KINDS

    store = _store(flags)
    if flags.kind is not None and flags.kind not in KINDS:
        raise InputError(f"--kind is {flags.kind!r}; expected {', '.join(KINDS)}")
    family = store.manifest(_reference(flags.family)).families if flags.family else None
    found = [
        entry
        for entry in store.entries(_warn)
        if flags.kind in (None, entry.manifest.kind)
        and (family is None or entry.manifest.families & family)
        and (flags.class_name is None or flags.class_name in entry.manifest.class_names)
    ]
    if flags.json:
        described = [
            {
                "name": entry.reference.name,
                "version": entry.reference.tag,
                "aliases": list(entry.aliases),
                "manifest": entry.manifest.model_dump(mode="json"),
            }
            for entry in found
        ]
        print(json.dumps(described, indent=2))
        return
    rows = [("component", "kind", "interface", "classes", "family", "aliases")]
    for entry in found:
        manifest = entry.manifest
        rows.append(
            (
                str(entry.reference),
                manifest.kind,
                _interface(manifest),
                str(len(manifest.class_names) or "-"),
                ", ".join(sorted(f[:8] for f in manifest.families)) or "-",
                ", ".join(entry.aliases) or "-",
            )
        )
    _print_table(rows)


def show(flags: Any) -> None:
    """Shows all that is said of a component."""
    store = _store(flags)
    reference = store.resolve(_reference(flags.reference))
    manifest = store.manifest(reference)
    # Made again from what was looked at: the files of a stranger may hold anything.
    if flags.json:
        print(manifest.to_json().decode(), end="")
        return
    from keras_compat.store.card import write_card

    _, _, text = write_card(manifest, str(reference)).removeprefix("---\n").partition("---\n")
    print(text.strip())


def check(flags: Any) -> None:
    """Tells without labels whether a head works on an extractor."""
    store = _store(flags)
    extractor, head = _read(store, flags.extractor), _read(store, flags.head)
    count = _count(flags.count)
    _start()
    from keras_compat.jobs.components import using

    found = using.check(store, extractor, head, flags.images, count, _reading(flags))
    if flags.json:
        described = {"verdict": found.verdict, **vars(found), "signals": dict(found.signals)}
        print(json.dumps(described, indent=2))
        return
    family = f"{found.family} auxiliary head(s) in common" if found.family else "no family"
    print(f"{head} on {extractor}: {family}; measured on {found.images} images without labels")
    _print_table([("signal", "value"), *((n, f"{v:.3f}") for n, v in found.signals.items())])
    print(f"as far as can be told without labels, it {found.verdict}")
    if found.own_information is None:
        print("what the head tells on its own extractor is not known: it may do better than that")


def recombine(flags: Any) -> None:
    """Puts a head on an extractor."""
    store, new = _store(flags), _reference(flags.new)
    extractor, head = _read(store, flags.extractor), _read(store, flags.head)
    _start()
    from keras_compat.store import pack
    from keras_compat.store.recombining import recombine as put_together

    pair = put_together(store, extractor, head)
    store.publish(new, pack(pair.network, str(new)))
    if not pair.family:
        print(
            f"warning: {extractor} and {head} share no auxiliary head: nothing says that they work "
            "together; check them"
        )
    print(f"published {new}; it needs batches of images until you adapt it")


def retrain(flags: Any) -> None:
    """Teaches a head new classes."""
    store, new = _store(flags), _reference(flags.new)
    extractor, head = _read(store, flags.extractor), _read(store, flags.head)
    from keras_compat.jobs.training import Training

    how = Training(flags.rounds, flags.batch_size, flags.learning_rate, schedule="cosine")
    _start()
    from keras_compat.jobs.components.retraining import retrain as teach

    done = teach(store, extractor, head, new, flags.data, how, flags.seed, _reading(flags))
    print(
        f"published {new}; it knows {len(done.class_names)} classes and is right on "
        f"{done.accuracy:.1%} of test images on {extractor}"
    )


def evaluate(flags: Any) -> None:
    """Tests a network."""
    store = _store(flags)
    reference = _read(store, flags.reference)
    _start()
    from keras_compat.jobs.components import using

    print(f"{reference}: {using.evaluate(store, reference, flags.data, _reading(flags)):.1%}")


def adapt(flags: Any) -> None:
    """Gives a network moving statistics."""
    store, count = _store(flags), _count(flags.count)
    reference, new = _read(store, flags.reference), _reference(flags.new)
    _start()
    from keras_compat.jobs.components import using

    using.adapt(store, reference, new, flags.images, count, _reading(flags))
    print(f"published {new}; it takes single images")


def export(flags: Any) -> None:
    """Writes a network for servers, desktops and phones."""
    store, count = _store(flags), _count(flags.count)
    reference = _read(store, flags.reference)
    formats = _some("formats", flags.formats, _FORMATS)
    parts = _some("parts", flags.parts, _PARTS)
    quantizations = _some("quantization", flags.quantization, _QUANTIZATIONS)
    if "litert" not in formats and quantizations != ["float32"]:
        raise InputError(
            f"--quantization is {flags.quantization!r} without litert in --formats; expected both"
        )
    if ("int8" in quantizations) != (flags.images is not None):
        raise InputError(
            f"--quantization is {flags.quantization!r} and --images is {flags.images!r}; expected "
            "images with int8, which takes the ranges of 8 bits from them, and only there"
        )
    if flags.uint8_input and ("int8" not in quantizations or parts == ["head"]):
        raise InputError(
            "--uint8_input is given without int8 in --quantization or a part that takes images; "
            "expected it with --quantization=int8 and an extractor or a network"
        )
    _start()
    from keras_compat.jobs.components import using

    shipment = using.Shipment(formats, parts, quantizations, flags.uint8_input, flags.images, count)
    folder = Path(flags.folder)
    files = using.export(store, reference, folder, shipment, _reading(flags), flags.overwrite)
    for file in files:
        print(f"{file.path}: {file.size_bytes:,} bytes")


def install(flags: Any) -> None:
    """Writes the folder of a device."""
    store, count = _store(flags), _count(flags.count)
    reference = _read(store, flags.extractor)
    _start()
    from keras_compat.jobs.components import updating

    updating.install(
        store,
        reference,
        Path(flags.folder),
        updates_of=flags.updates,
        format=flags.format,
        spec=flags.images,
        count=count,
        options=_reading(flags),
        overwrite=flags.overwrite,
    )
    print(f"{flags.folder}: {reference} in {flags.format}, takes updates of {flags.updates}")


def update(flags: Any) -> None:
    """Writes a head's update for devices."""
    store, count = _store(flags), _count(flags.count)
    reference = _read(store, flags.head)
    _start()
    from keras_compat.jobs.components import updating

    found = updating.update(
        store,
        reference,
        Path(flags.archive),
        [Path(folder) for folder in common.words(flags.devices)],
        number=flags.number,
        spec=flags.data,
        images_spec=flags.images,
        count=count,
        options=_reading(flags),
        component=not flags.no_component,
        least_accuracy=flags.least_accuracy,
        overwrite=flags.overwrite,
    )
    if flags.json:
        print(json.dumps([vars(measured) for measured in found], indent=2))
        return
    rows = [("device", "format", "accuracy", "update", "whole model", "part")]
    for measured in found:
        rows.append(
            (
                measured.component,
                measured.format,
                f"{measured.accuracy:.1%}",
                f"{measured.update_bytes:,}",
                f"{measured.whole_bytes:,}",
                f"{measured.update_bytes / measured.whole_bytes:.0%}",
            )
        )
    _print_table(rows)
    print(f"{flags.archive}: {Path(flags.archive).stat().st_size:,} bytes for all")


def receive(flags: Any) -> None:
    """Publishes the head that is in an update."""
    store, reference = _store(flags), _reference(flags.reference)
    _start()
    from keras_compat.updates import receive as take

    take(store, flags.archive, reference)
    print(f"published {reference}")


def alias(flags: Any) -> None:
    """Makes an alias point at a version."""
    store = _store(flags)
    if flags.remove:
        name = _reference(flags.reference).name
        store.remove_alias(name, flags.alias)
        print(f"removed {name}@{flags.alias}")
        return
    reference = _read(store, flags.reference)
    store.set_alias(reference.name, flags.alias, reference.tag)
    print(f"{reference.name}@{flags.alias} is {reference}")


def verify(flags: Any) -> None:
    """Reads everything and says what is wrong; ends with 1 if something is."""
    store = _store(flags)
    _start()
    from keras_compat.store import unpack
    from keras_compat.store.packing import check_sizes

    for path in store.clean() if flags.clean else ():
        print(f"removed {path}")
    faults = store.verify(before=check_sizes, also=unpack)
    for fault in faults:
        print(f"{fault.path}: {fault.error}")
    print(f"{len(faults)} fault(s), {len(store.names())} component name(s)")
    if faults:
        raise SystemExit(1)


def remove(flags: Any) -> None:
    """Removes a version."""
    store, reference = _store(flags), _reference(flags.reference)
    store.remove(reference)
    print(f"removed {reference}")


def _store(flags: Any) -> Store:
    from keras_compat.store import Store

    return Store(flags.store)


def _reference(text: str) -> Reference:
    from keras_compat.store import Reference

    return Reference.parse(text)


def _read(store: Store, text: str) -> Reference:
    """The version of a component that is there."""
    reference = store.resolve(_reference(text))
    store.manifest(reference)
    return reference


def _warn(fault: Fault) -> None:
    print(f"warning: {fault.path}: {fault.error}", file=sys.stderr)


def _start() -> None:
    """Loads Keras, which listing and showing do without."""
    command_line.choose_backend()
    with quiet_start():
        import keras  # noqa: F401


def _reading(flags: Any) -> LoadOptions:
    from keras_compat.data.options import LoadOptions

    return LoadOptions(data_dir=flags.data_dir, download=flags.download)


def _count(count: int) -> int:
    if count < 2:
        raise InputError(f"--count is {count}; expected 2 or more")
    return count


def _some(flag: str, text: str, known: Sequence[str]) -> list[str]:
    """Words of a list, each once."""
    found = list(dict.fromkeys(common.words(text)))
    if not found or not set(found) <= set(known):
        raise InputError(f"--{flag} is {text!r}; expected of {', '.join(known)}, with commas")
    return found


def _metrics(text: str) -> dict[str, float]:
    found = common.pairs(common.words(text), "metric", "NAME=NUMBER")
    try:
        return {name: float(value) for name, value in found.items()}
    except ValueError:
        raise InputError(f"--metrics is {text!r}; expected NAME=NUMBER with commas") from None


def _interface(manifest: Manifest) -> str:
    return " x ".join("any" if size is None else str(size) for size in manifest.interface)


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def run(arguments: Sequence[str]) -> None:
    """Reads the command and does it."""
    flags = make_parser().parse_args(arguments)
    flags.run(flags)


if __name__ == "__main__":
    command_line.main(run)
