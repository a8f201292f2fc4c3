"""Publishing of an archive's component, for servers."""

from __future__ import annotations

import tempfile
from pathlib import Path

from keras_compat.errors import InputError
from keras_compat.store import Package, Reference, Store, read_manifest, unpack
from keras_compat.store.manifest import CARD, MANIFEST, WEIGHTS
from keras_compat.store.packing import check_sizes
from keras_compat.updates.archive import check_component
from keras_compat.updates.device_client import COMPONENT, UpdateError, read_archive


def receive(store: Store, archive: str | Path, reference: Reference) -> None:
    """Publishes the head of an update.

    Args:
        archive: Path of the archive, also one by strangers.

    Raises:
        InputError: If the archive is incomplete, or its component is missing or is not the head of
            `update.json`.
        StoreError: If the component is invalid, see `store.unpack` and `Store.publish`.

    Example:

    >>> receive(store, "digits-7.zip", Reference.parse("digits-head@7"))  # doctest: +SKIP
    """
    with tempfile.TemporaryDirectory() as folder:
        targets = {name: Path(folder, name) for name in COMPONENT}
        try:
            update = read_archive(archive, lambda found: targets)
        except UpdateError as error:
            raise InputError(str(error)) from None
        if MANIFEST not in update["files"]:
            raise InputError(
                f"{archive} has no component; expected an update made with one, and the archive "
                "for all devices"
            )
        manifest = read_manifest(targets[MANIFEST].read_bytes(), str(reference))
        try:
            check_component(manifest, update["class_names"], set(update["families"]))
        except InputError as error:
            raise InputError(f"{archive}: {error}") from None
        check_sizes(manifest, str(reference))
        files = {name: targets[name].read_bytes() for name in (WEIGHTS, CARD)}
    package = Package(manifest, files)
    unpack(package, str(reference))
    store.publish(reference, package)
