"""Checks before the work that a result can be published, and storage of one that was not."""

from __future__ import annotations

import shlex
import tempfile
import uuid
from pathlib import Path
from types import TracebackType

from keras_compat.errors import InputError
from keras_compat.file_errors import file_errors_in_one_line
from keras_compat.store import Component, Reference, Store, load, pack
from keras_compat.training import is_chief


def check_publishable(store: Store, reference: Reference, component: Component) -> None:
    """Does everything that publishing does but the last write; call it before the work.

    Raises:
        InputError: if `pack` or `Store.check_publishable` raises one.
    """
    store.check_publishable(reference, pack(component, str(reference)))


class Unpublished:
    """Block between the work and its publication: if anything fails, the result is stored.

    The result is then a store of one component. Its folder is beside the store, in the working
    directory or among temporary files: the first of them that can be written. The error names the
    folder and the command that publishes it, see `publish_kept`.

    Args:
        store: Store that the component is to go to.
        reference: Name and version of the component.
        component: Component before the work, stored if no later state can be.

    Attributes:
        component: Latest state of the component.
    """

    def __init__(self, store: Store, reference: Reference, component: Component):
        self.component = component
        self._first = component
        self._store = store
        self._reference = reference

    def publish(self) -> None:
        """Publishes the component as it is now."""
        if is_chief():
            with file_errors_in_one_line("it was not published"):
                self._store.publish(self._reference, pack(self.component, str(self._reference)))

    def __enter__(self) -> Unpublished:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None or not is_chief():
            return
        said = self._keep()
        if isinstance(error, KeyboardInterrupt):
            raise type(error)(said) from None
        if isinstance(error, InputError | ArithmeticError):
            raise type(error)(f"{error}; {said}") from None
        error.add_note(said)

    def _keep(self) -> str:
        """Writes the component to the first possible folder, and returns words that name it."""
        reference = self._reference
        name = f"unpublished-{reference.name}-{reference.tag}-{uuid.uuid4().hex[:8]}"
        faults = []
        for component in (self.component, self._first):
            try:
                package = pack(component, str(reference))
            except InputError as error:
                faults.append(str(error))
                continue
            for folder in self._places():
                try:
                    Store(folder / name).publish(reference, package)
                except (InputError, OSError) as error:
                    faults.append(str(error))
                    continue
                words = ("publish", self._store.url, str(reference), f"--component={folder / name}")
                return (
                    f"what was computed is kept in {str(folder / name)!r}: publish it, under a "
                    f"version that is free, with: python -m apps.components {shlex.join(words)}"
                )
        return f"what was computed could not be kept: {'; '.join(dict.fromkeys(faults))}"

    def _places(self) -> list[Path]:
        url = self._store.url
        beside = [] if "://" in url else [Path(url).expanduser().absolute().parent]
        return list(dict.fromkeys([*beside, Path.cwd(), Path(tempfile.gettempdir())]))


def publish_kept(store: Store, reference: Reference, place: str) -> None:
    """Publishes the only component of another store, such as `Unpublished` leaves.

    Raises:
        InputError: if the store holds none, or several, or the component cannot be published.
    """
    store.check_free(reference)
    kept = Store(place)
    entries = kept.entries()
    if len(entries) != 1:
        raise InputError(
            f"{place!r} holds {len(entries)} components; expected the folder that a command named "
            "which could not publish what it had computed"
        )
    store.publish(reference, pack(load(kept, entries[0].reference), str(reference)))
