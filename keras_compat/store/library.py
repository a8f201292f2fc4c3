"""The store: components by name and version."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from keras_compat.errors import InputError
from keras_compat.escaping import escape
from keras_compat.store.errors import (
    AlreadyPublishedError,
    BadNameError,
    DamagedError,
    InUseError,
    NotPublishedError,
    StoreError,
)
from keras_compat.store.manifest import LARGEST_MANIFEST, MANIFEST, WEIGHTS, Manifest, read_manifest
from keras_compat.store.memory import memory_for
from keras_compat.store.names import (
    LATEST,
    Reference,
    check_name,
    in_order,
    is_alias,
    is_version,
)
from keras_compat.store.package import Package, check_file, check_names
from keras_compat.store.storage import CLAIM, STAGING, open_storage

Look = Callable[[Manifest, str], object]
"""Looks at a manifest and a component's name, and raises a `StoreError` if something is wrong."""

_ALIASES = "aliases"
_LONGEST_VERSION = 64
LARGEST_WEIGHTS = 2**32
"""Bytes of weights that are read, unless something else is said."""


@dataclass(frozen=True)
class Entry:
    """A published version.

    Attributes:
        reference: its name and version.
        manifest: what is said of it.
        aliases: those that point at it.
    """

    reference: Reference
    manifest: Manifest
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class Fault:
    """Something that `Store.verify` found.

    Attributes:
        path: Place in the store; escaped, for whoever writes into a store chooses its names.
        error: what is wrong.
    """

    path: str
    error: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", escape(self.path))


class Store:
    """Components in a folder, or at an fsspec URL.

    `NAME/VERSION/` holds `manifest.json`, `weights.safetensors` and `README.md`;
    `NAME/aliases/ALIAS` the version that an alias points at. Versions never change.

    In a folder, publishing is one rename: a reader sees a component whole or not at all, two
    publishers of one version leave the first, and one that dies leaves nothing but a folder in
    `.staging`. At a URL the version is claimed first and its manifest written last; where the file
    system cannot make a file only if there is none, two publishers in the same instant can both
    succeed.

    Args:
        url: a folder, or a URL that fsspec reads, such as `"s3://bucket/parts"`.
        largest: bytes of weights that are read, at most.

    Raises:
        InputError: if fsspec lacks what the URL needs.

    Example:

    >>> store = Store("memory://parts")
    >>> store.entries()
    []
    """

    def __init__(self, url: str | os.PathLike[str], largest: int = LARGEST_WEIGHTS):
        self._storage = open_storage(url)
        self._largest = largest

    @property
    def url(self) -> str:
        """Where it lies."""
        return self._storage.url

    def publish(self, reference: Reference, package: Package) -> None:
        """Adds a version.

        Args:
            reference: a name and a version that is free.
            package: what to store.

        Raises:
            AlreadyPublishedError: if the version is there.
            BadNameError: if the reference names an alias.
            DamagedError: if the files are not what the manifest says.
        """
        content = _content(reference, package)
        path = _path(reference)
        try:
            # Checksums are taken while the files are written, and before they can be seen.
            with ThreadPoolExecutor(max_workers=1) as thread:
                checked = thread.submit(_check_files, reference, package)
                self._storage.publish(path, content, ready=checked.result)
        except FileExistsError:
            if MANIFEST in self._storage.names(path):
                text = "is published, and versions do not change; take the next version"
            else:
                text = (
                    "is being published, or its publisher died: wait, clean the store, or remove it"
                )
            raise AlreadyPublishedError(f"{reference} {text}") from None

    def check_free(self, reference: Reference) -> None:
        """Makes sure, before any work, that a version can be published.

        Raises:
            AlreadyPublishedError: if the version is there.
            BadNameError: if the reference names an alias.
        """
        _check_version(reference)
        if reference.tag in self.versions(reference.name):
            raise AlreadyPublishedError(
                f"{self.url} has {reference} already; take the next version"
            )

    def check_publishable(self, reference: Reference, package: Package) -> None:
        """Makes sure, before any work, that a version like this one can be published.

        All is done that `publish` does, and undone: whether the store can be written, and has
        space, is known only then.

        Args:
            reference: a name and a version that is free.
            package: Package of the same files and sizes as the one that is to come.

        Raises:
            StoreError: as `publish`.
        """
        self.check_free(reference)
        self._storage.try_out(_path(reference), _content(reference, package))

    def resolve(self, reference: Reference) -> Reference:
        """Returns the version that a reference stands for.

        Raises:
            NotPublishedError: if there is none.
        """
        if reference.is_version:
            return reference
        if reference.tag == LATEST:
            versions = self.versions(reference.name)
            if not versions:
                raise self._not_published(reference)
            return Reference(reference.name, versions[-1])
        try:
            text = self._storage.read(_alias_path(reference), _LONGEST_VERSION)
        except (FileNotFoundError, NotADirectoryError):
            raise self._not_published(reference) from None
        version = text.decode("ascii", "replace").strip()
        if not is_version(version):
            raise DamagedError(
                f"the alias {reference} holds {version[:40]!r}; expected a version: set it again"
            )
        return Reference(reference.name, version)

    def manifest(self, reference: Reference) -> Manifest:
        """Returns what is said of a component, without its weights.

        Raises:
            StoreError: if there is none, or its manifest is not one.
        """
        reference = self.resolve(reference)
        return read_manifest(self.manifest_bytes(reference), str(reference))

    def manifest_bytes(self, reference: Reference) -> bytes:
        """Returns the content of a component's manifest, not looked at."""
        reference = self.resolve(reference)
        try:
            return self._storage.read(f"{_path(reference)}/{MANIFEST}", LARGEST_MANIFEST)
        except (FileNotFoundError, NotADirectoryError):
            raise self._not_published(reference) from None

    def package(self, reference: Reference, before: Look | None = None) -> Package:
        """Returns a component as bytes, each file checked against its SHA-256.

        Args:
            reference: of the component.
            before: is called with the manifest and the component's name before any other file is
                read; what it raises stops that.

        Raises:
            StoreError: if there is none, or it is not whole.
        """
        reference = self.resolve(reference)
        manifest = self.manifest(reference)
        if before is not None:
            before(manifest, str(reference))
        path = _path(reference)
        # A publisher at a URL takes its claim back last.
        present = [name for name in self._storage.names(path) if name != CLAIM]
        check_names(str(reference), present, manifest)
        found = {}
        for name, record in manifest.files.items():
            limit = self._largest if name == WEIGHTS else LARGEST_MANIFEST
            try:
                # Not a byte more than the manifest says is ever held.
                with memory_for(f"{name} of {reference}"):
                    found[name] = self._storage.read(f"{path}/{name}", min(limit, record.size))
            except FileNotFoundError:
                raise self._not_published(reference) from None
            check_file(f"{name} of {reference}", found[name], record)
        return Package(manifest, found)

    def names(self) -> list[str]:
        """Returns the names of all components; what is none is left out, see `verify`."""
        return [name for name in self._storage.names("") if _is_name(name) and self._any(name)]

    def _any(self, name: str) -> bool:
        try:
            return bool(self.versions(name))
        except StoreError:
            return False

    def versions(self, name: str) -> list[str]:
        """Returns the versions of a component, the highest last; nothing if there is none."""
        check_name(name)
        found = [version for version in self._storage.names(name) if is_version(version)]
        whole = (v for v in found if MANIFEST in self._storage.names(f"{name}/{v}"))
        return sorted(whole, key=in_order)

    def aliases(self, name: str) -> dict[str, str]:
        """Returns the aliases of a component with the versions that they point at."""
        check_name(name)
        present = self._storage.names(f"{name}/{_ALIASES}")
        found = [alias for alias in present if is_alias(alias) and alias != LATEST]
        return {alias: self.resolve(Reference(name, alias)).tag for alias in found}

    def entries(self, on_fault: Callable[[Fault], object] | None = None) -> list[Entry]:
        """Returns all published versions that can be read, by name and version.

        Args:
            on_fault: is called with what cannot; without it that is passed over.
        """
        found = []
        for name in filter(_is_name, self._storage.names("")):
            try:
                aliases, versions = self.aliases(name), self.versions(name)
            except StoreError as error:
                _tell(on_fault, name, error)
                continue
            for version in versions:
                reference = Reference(name, version)
                mine = [alias for alias, target in aliases.items() if target == version]
                mine += [LATEST] if version == versions[-1] else []
                try:
                    found.append(Entry(reference, self.manifest(reference), tuple(mine)))
                except StoreError as error:
                    _tell(on_fault, _path(reference), error)
        return found

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Makes an alias point at a version, wherever it pointed before.

        Raises:
            BadNameError: if the alias is not one, or is `latest`, which moves by itself.
            NotPublishedError: if there is no such version.
        """
        if not is_alias(alias) or alias == LATEST:
            raise BadNameError(
                f"{alias!r} cannot be set as an alias; expected a word such as production, and "
                f"not {LATEST}, which is always the highest version"
            )
        self.manifest(Reference(name, version))
        self._storage.put(_alias_path(Reference(name, alias)), version.encode())

    def remove_alias(self, name: str, alias: str) -> None:
        """Removes an alias; the version stays.

        Raises:
            NotPublishedError: if there is none.
        """
        if alias not in self.aliases(name):
            raise self._not_published(Reference(name, alias))
        self._storage.remove(_alias_path(Reference(name, alias)))

    def remove(self, reference: Reference) -> None:
        """Removes a version; what was made from it stays.

        Raises:
            BadNameError: if the reference names an alias.
            InUseError: if an alias points at it.
            NotPublishedError: if there is none.
        """
        if not reference.is_version:
            raise BadNameError(f"{reference} names an alias; expected the version to remove")
        for alias, version in self.aliases(reference.name).items():
            if version == reference.tag:
                raise InUseError(
                    f"{reference} is {reference.name}@{alias}; point that alias elsewhere first"
                )
        if not self._storage.names(_path(reference)):
            raise self._not_published(reference)
        self._storage.remove(_path(reference))

    def verify(
        self,
        before: Look | None = None,
        also: Callable[[Package, str], object] | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> list[Fault]:
        """Reads everything, and returns what is wrong, without changing anything.

        Args:
            before: as for `package`: `packing.check_sizes` keeps from reading more weights than an
                architecture has.
            also: is called with each component that is whole, and its name; what it raises as an
                `InputError` is a fault too. `packing.check` looks at each weight.
            progress: is called after each component with how many were looked at, and how many
                there are.
        """
        faults: list[Fault] = []
        done, total = itertools.count(1), self._count() if progress else 0

        def looked() -> None:
            if progress:
                progress(next(done), total)

        left = "left by a publisher that died or is at work; clean removes it"
        try:
            faults += [Fault(path, left) for path in self._storage.leftovers()]
        except InputError as error:
            faults.append(Fault(STAGING, str(error)))
        for name in self._storage.names(""):
            if name == STAGING:
                continue  # told of above
            if not _is_name(name):
                faults.append(Fault(name[:100], "not a name of a component; remove it"))
                continue
            faults.extend(self._verify(name, before, also or (lambda package, what: None), looked))
        return faults

    def _count(self) -> int:
        """How many components there are, whatever is wrong with them."""
        count = 0
        for name in filter(_is_name, self._storage.names("")):
            with suppress(InputError):  # a fault, which is told of in its turn
                count += sum(map(is_version, self._storage.names(name)))
        return count

    def _verify(
        self,
        name: str,
        before: Look | None,
        also: Callable[[Package, str], object],
        looked: Callable[[], object],
    ) -> Iterator[Fault]:
        try:
            inside = self._storage.names(name)
        except InputError as error:
            yield Fault(name, str(error))
            return
        for version in inside:
            if version == _ALIASES:
                continue
            if not is_version(version):
                yield Fault(f"{name}/{version[:100]}", "not a version; remove it")
                continue
            reference = Reference(name, version)
            try:
                also(self.package(reference, before), str(reference))
            except InputError as error:
                yield Fault(_path(reference), str(error))
            looked()
        yield from self._verify_aliases(name)

    def _verify_aliases(self, name: str) -> Iterator[Fault]:
        try:
            aliases = self._storage.names(f"{name}/{_ALIASES}")
        except InputError as error:
            yield Fault(f"{name}/{_ALIASES}", str(error))
            return
        for alias in aliases:
            path = f"{name}/{_ALIASES}/{alias[:100]}"
            if not is_alias(alias) or alias == LATEST:
                yield Fault(path, "not an alias; remove it")
                continue
            try:
                self.manifest(Reference(name, alias))
            except InputError as error:
                yield Fault(path, str(error))

    def clean(self, older_than_s: float = 3600) -> list[str]:
        """Removes what publishers left that died, and returns it.

        Args:
            older_than_s: what is younger may be of a publisher that is at work, and stays.
        """
        found = self._storage.leftovers(older_than_s)
        for path in found:
            self._storage.discard(path)
        return found

    def _not_published(self, reference: Reference) -> NotPublishedError:
        known = self.versions(reference.name)
        if known:
            text = f"versions of {reference.name}: {', '.join(known[-10:])}"
        else:
            names = self.names()
            text = f"components: {', '.join(names[:10])}{', ...' if len(names) > 10 else ''}"
            text = text if names else "the store is empty"
        return NotPublishedError(f"{self.url} has no {reference}; {text}")


def _content(reference: Reference, package: Package) -> dict[str, bytes]:
    """Returns the files of a package, after a look at all but their checksums."""
    _check_version(reference)
    content = package.content()
    check_names(str(reference), list(content), package.manifest)
    read_manifest(content[MANIFEST], str(reference))
    return content


def _check_files(reference: Reference, package: Package) -> None:
    for name, record in package.manifest.files.items():
        check_file(f"{name} of {reference}", package.files[name], record)


def _tell(on_fault: Callable[[Fault], object] | None, path: str, error: StoreError) -> None:
    if on_fault is not None:
        on_fault(Fault(path, str(error)))


def _path(reference: Reference) -> str:
    return f"{reference.name}/{reference.tag}"


def _alias_path(reference: Reference) -> str:
    return f"{reference.name}/{_ALIASES}/{reference.tag}"


def _is_name(name: str) -> bool:
    try:
        check_name(name)
    except BadNameError:
        return False
    return True


def _check_version(reference: Reference) -> None:
    if not reference.is_version:
        raise BadNameError(
            f"{reference} names an alias; expected a version, such as {reference.name}@1"
        )
