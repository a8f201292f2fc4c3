"""Commands on the library itself: what it holds, and whether it is whole."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from apps.components.shared import (
    Command,
    add_images,
    count_of,
    open_store,
    print_table,
    published,
    reading,
    reference_of,
    start,
)
from keras_compat.errors import InputError
from keras_compat.experiments.flags import pairs, words
from keras_compat.printing import tell

if TYPE_CHECKING:
    import numpy as np

    from keras_compat.store import Component, Fault, Manifest

_MODES = ("shared", "frozen")


def add(command: Command) -> None:
    """Adds the commands with their flags."""
    flags = command(publish, "add a version", "reference")
    flags.add_argument(
        "--network",
        help="a folder that a job wrote under networks/, or a cell of an analysis: all its parts",
    )
    flags.add_argument("--run", dest="job", help="a folder of apps.classifier_transfer: all parts")
    flags.add_argument("--component", help="the folder where a command kept what it computed")
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
    add_images(flags, required=False)

    flags = command(list_, "show what there is")
    flags.add_argument("--kind", help="extractor, head, auxiliary_head or network")
    flags.add_argument("--family", help="of a component: those that share an auxiliary head")
    flags.add_argument("--class", dest="class_name", help="heads that know this class")
    flags.add_argument("--json", action="store_true", help="for programs")

    flags = command(show, "show all that is said of a component", "reference")
    flags.add_argument("--json", action="store_true", help="its manifest")

    flags = command(alias, "make an alias point at a version", "reference", "alias")
    flags.add_argument("--remove", action="store_true", help="remove the alias instead")

    flags = command(verify, "read everything and say what is wrong")
    flags.add_argument(
        "--clean", action="store_true", help="remove what publishers left more than an hour ago"
    )

    command(remove, "remove a version", "reference")


def publish(flags: Any) -> None:
    """Adds a version."""
    store, reference = open_store(flags), reference_of(flags.reference)
    given = {part: getattr(flags, part) for part in ("extractor", "head") if getattr(flags, part)}
    if flags.images and given:
        raise InputError(
            f"--images is {flags.images!r}; expected it with --network or --run, whose head is "
            "measured on its own extractor"
        )
    if sum(map(bool, (flags.network, flags.job, flags.component, given))) != 1:
        raise InputError(
            "expected --network, or --run, or --component, or --extractor and --head or one of them"
        )
    start()
    from keras_compat.experiments.components import keeping, publishing, run_discovery
    from keras_compat.store import Component

    if flags.component:
        keeping.publish_kept(store, reference, flags.component)
        tell(f"published {reference}")
        return
    if flags.network or flags.job:
        find = run_discovery.parts_of_network if flags.network else run_discovery.parts_of_run
        parts = find(flags.network or flags.job)
        look = _look(flags) if flags.images else None
        for name in publishing.publish_parts(store, reference, parts, flags.licence, look):
            tell(f"published {name}")
        return
    if not (flags.architecture or (set(given) == {"head"} and flags.head_architecture)):
        raise InputError("--architecture is missing; expected what the file was built by")
    auxiliaries = pairs(words(flags.auxiliaries or ""), "auxiliary", "NAME=MODE")
    for name, mode in auxiliaries.items():
        if mode not in _MODES:
            raise InputError(f"auxiliary {name} is {mode!r}; expected shared or frozen")
    component = Component(
        class_names=tuple(words(flags.classes or "")),
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
    tell(f"published {reference}")


def _look(flags: Any) -> Callable[[Component], np.ndarray]:
    """Reads some images for an extractor, when it is known which."""
    from keras_compat.experiments.components.operations import unlabelled

    count, options = count_of(flags.count), reading(flags)

    def look(component: Component) -> np.ndarray:
        return unlabelled(flags.images, count, component.extractor.input_shape[1:], options)[0]

    return look


def list_(flags: Any) -> None:
    """Shows what there is."""
    from keras_compat.store.manifest import KINDS

    store = open_store(flags)
    if flags.kind is not None and flags.kind not in KINDS:
        raise InputError(f"--kind is {flags.kind!r}; expected {', '.join(KINDS)}")
    family = store.manifest(reference_of(flags.family)).families if flags.family else None
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
        tell(*json.dumps(described, indent=2).splitlines())
        return
    rows = [
        (
            str(entry.reference),
            entry.manifest.kind,
            _interface(entry.manifest),
            str(len(entry.manifest.class_names) or "-"),
            ", ".join(sorted(f[:8] for f in entry.manifest.families)) or "-",
            ", ".join(entry.aliases) or "-",
        )
        for entry in found
    ]
    print_table([("component", "kind", "interface", "classes", "family", "aliases"), *rows])


def show(flags: Any) -> None:
    """Shows all that is said of a component."""
    store = open_store(flags)
    reference = store.resolve(reference_of(flags.reference))
    manifest = store.manifest(reference)
    # Made again from what was looked at: the files of a stranger may hold anything.
    if flags.json:
        tell(*json.dumps(manifest.model_dump(mode="json"), indent=2).splitlines())
        return
    from keras_compat.store.card import write_card

    _, _, text = write_card(manifest, str(reference)).removeprefix("---\n").partition("---\n")
    tell(*text.strip().split("\n"))


def alias(flags: Any) -> None:
    """Makes an alias point at a version."""
    store = open_store(flags)
    if flags.remove:
        name = reference_of(flags.reference).name
        store.remove_alias(name, flags.alias)
        tell(f"removed {name}@{flags.alias}")
        return
    reference = published(store, flags.reference)
    store.set_alias(reference.name, flags.alias, reference.tag)
    tell(f"{reference.name}@{flags.alias} is {reference}")


def verify(flags: Any) -> None:
    """Reads everything and says what is wrong; ends with 1 if something is."""
    store = open_store(flags)
    start()
    from keras_compat.store.packing import check, check_sizes

    for path in store.clean() if flags.clean else ():
        tell(f"removed {path}")
    with _progress("verifying") as progress:
        faults = store.verify(check_sizes, check, progress)
    for fault in faults:
        tell(f"{fault.path}: {fault.error}")
    tell(f"{len(faults)} fault(s), {len(store.names())} component name(s)")
    if faults:
        raise SystemExit(1)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], object]]:
    """Shows a bar on a terminal, and nothing in a file."""
    from rich.console import Console
    from rich.progress import Progress

    # Asked for here: of the console, some variables of the environment make a file a terminal.
    hidden = not sys.stderr.isatty()
    with Progress(console=Console(stderr=True), disable=hidden, transient=True) as bar:
        task = bar.add_task(what)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def remove(flags: Any) -> None:
    """Removes a version."""
    store, reference = open_store(flags), reference_of(flags.reference)
    store.remove(reference)
    tell(f"removed {reference}")


def _warn(fault: Fault) -> None:
    tell(f"warning: {fault.path}: {fault.error}", to=sys.stderr)


def _metrics(text: str) -> dict[str, float]:
    found = pairs(words(text), "metric", "NAME=NUMBER")
    try:
        return {name: float(value) for name, value in found.items()}
    except ValueError:
        raise InputError(f"--metrics is {text!r}; expected NAME=NUMBER with commas") from None


def _interface(manifest: Manifest) -> str:
    return " x ".join("any" if size is None else str(size) for size in manifest.interface)
