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

Check = Callable[[Manifest, str], object]
"""Check of a manifest and a component's name; raises a `StoreError` if it fails."""

_ALIASES = "aliases"
_LONGEST_VERSION = 64
LARGEST_WEIGHTS = 2**32
"""Default limit of weights in bytes."""


@dataclass(frozen=True)
class Entry:
    """A published version, with the aliases that point at it."""

    reference: Reference
    manifest: Manifest
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class Fault:
    """Something that `Store.verify` found.

    Attributes:
        path: Path in the store, escaped because strangers may choose names in a store.
    """

    path: str
    error: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", escape(self.path))


class Store:
    """Components in a folder or at an fsspec URL.

    `NAME/VERSION/` holds `manifest.json`, `weights.safetensors` and `README.md`;
    `NAME/aliases/ALIAS` holds the version that an alias points at. Versions never change.

    In a folder, publishing is one rename: a reader sees a component whole or not at all, the first
    of two publishers of one version wins, and a killed publisher leaves only a folder in
    `.staging`. At a URL a publisher claims the version first and writes its manifest last. If the
    file system cannot create a file exclusively, two publishers at the same instant can both
    succeed.

    Methods raise a `NotPublishedError` if a component, a version or an alias does not exist.

    Args:
        url: Path of a folder, or a URL that fsspec reads, such as `"s3://bucket/parts"`.
        largest: Maximum size of weights in bytes.

    Raises:
        InputError: If fsspec lacks a package for the URL.

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
        """Path or URL of the store."""
        return self._storage.url

    def publish(self, reference: Reference, package: Package) -> None:
        """Adds a version.

        Raises:
            AlreadyPublishedError: If the version exists.
            BadNameError: If the reference names an alias.
            DamagedError: If the files are not those of the manifest.
        """
        content = _content(reference, package)
        path = _path(reference)
        try:
            # Checks checksums while the files are written, before anyone can see them.
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
        """Raises an error, before any work, if a version cannot be published.

        Raises:
            AlreadyPublishedError: If the version exists.
            BadNameError: If the reference names an alias.
        """
        _check_version(reference)
        if reference.tag in self.versions(reference.name):
            raise AlreadyPublishedError(
                f"{self.url} has {reference} already; take the next version"
            )

    def check_publishable(self, reference: Reference, package: Package) -> None:
        """Raises the error, before any work, that publishing a package of these sizes would raise.

        Writes the files and removes them: only this shows whether the store is writable and has
        space.
        """
        self.check_free(reference)
        self._storage.try_out(_path(reference), _content(reference, package))

    def resolve(self, reference: Reference) -> Reference:
        """Returns the version that a reference stands for."""
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
        """Returns a component's manifest; its weights are not read.

        Raises:
            StoreError: If there is none, or it is invalid.
        """
        reference = self.resolve(reference)
        return read_manifest(self.manifest_bytes(reference), str(reference))

    def manifest_bytes(self, reference: Reference) -> bytes:
        """Returns the content of a component's manifest, unchecked."""
        reference = self.resolve(reference)
        try:
            return self._storage.read(f"{_path(reference)}/{MANIFEST}", LARGEST_MANIFEST)
        except (FileNotFoundError, NotADirectoryError):
            raise self._not_published(reference) from None

    def package(self, reference: Reference, before: Check | None = None) -> Package:
        """Returns a component as bytes, with each file's SHA-256 checked.

        Args:
            before: Check of the manifest and the component's name, called before other files are
                read; its error stops the reading.

        Raises:
            StoreError: If there is none, or it is incomplete.
        """
        reference = self.resolve(reference)
        manifest = self.manifest(reference)
        if before is not None:
            before(manifest, str(reference))
        path = _path(reference)
        # A publisher at a URL removes its claim last.
        present = [name for name in self._storage.names(path) if name != CLAIM]
        check_names(str(reference), present, manifest)
        found = {}
        for name, record in manifest.files.items():
            limit = self._largest if name == WEIGHTS else LARGEST_MANIFEST
            try:
                # Reads at most as many bytes as the manifest says.
                with memory_for(f"{name} of {reference}"):
                    found[name] = self._storage.read(f"{path}/{name}", min(limit, record.size))
            except FileNotFoundError:
                raise self._not_published(reference) from None
            check_file(f"{name} of {reference}", found[name], record)
        return Package(manifest, found)

    def names(self) -> list[str]:
        """Returns the names of all components; other entries are left out, see `verify`."""
        return [name for name in self._storage.names("") if _is_name(name) and self._any(name)]

    def _any(self, name: str) -> bool:
        try:
            return bool(self.versions(name))
        except StoreError:
            return False

    def versions(self, name: str) -> list[str]:
        """Returns the versions of a component in ascending order."""
        check_name(name)
        found = [version for version in self._storage.names(name) if is_version(version)]
        whole = (v for v in found if MANIFEST in self._storage.names(f"{name}/{v}"))
        return sorted(whole, key=in_order)

    def aliases(self, name: str) -> dict[str, str]:
        """Returns the versions that a component's aliases point at, by alias."""
        check_name(name)
        present = self._storage.names(f"{name}/{_ALIASES}")
        found = [alias for alias in present if is_alias(alias) and alias != LATEST]
        return {alias: self.resolve(Reference(name, alias)).tag for alias in found}

    def entries(self, on_fault: Callable[[Fault], object] = lambda fault: None) -> list[Entry]:
        """Returns all readable versions, by name and version.

        Args:
            on_fault: Function that is called with each unreadable entry's fault.
        """
        found = []
        for name in filter(_is_name, self._storage.names("")):
            try:
                aliases, versions = self.aliases(name), self.versions(name)
            except StoreError as error:
                on_fault(Fault(name, str(error)))
                continue
            for version in versions:
                reference = Reference(name, version)
                mine = [alias for alias, target in aliases.items() if target == version]
                mine += [LATEST] if version == versions[-1] else []
                try:
                    found.append(Entry(reference, self.manifest(reference), tuple(mine)))
                except StoreError as error:
                    on_fault(Fault(_path(reference), str(error)))
        return found

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Makes an alias point at a version.

        Raises:
            BadNameError: If the alias is invalid, or is `latest`, which follows the highest
                version.
        """
        if not is_alias(alias) or alias == LATEST:
            raise BadNameError(
                f"{alias!r} cannot be set as an alias; expected a word such as production, and "
                f"not {LATEST}, which is always the highest version"
            )
        self.manifest(Reference(name, version))
        self._storage.put(_alias_path(Reference(name, alias)), version.encode())

    def remove_alias(self, name: str, alias: str) -> None:
        """Removes an alias; the version stays."""
        if alias not in self.aliases(name):
            raise self._not_published(Reference(name, alias))
        self._storage.remove(_alias_path(Reference(name, alias)))

    def remove(self, reference: Reference) -> None:
        """Removes a version; components that were made from it stay.

        Raises:
            BadNameError: If the reference names an alias.
            InUseError: If an alias points at the version.
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
        before: Check | None = None,
        also: Callable[[Package, str], object] = lambda package, what: None,
        progress: Callable[[int, int], object] | None = None,
    ) -> list[Fault]:
        """Reads the whole store and returns its faults; changes nothing.

        Args:
            before: Check as for `package`; `packing.check_sizes` refuses more weights than the
                architecture has.
            also: Check of each complete package and its name; its `InputError` is a fault too.
                `packing.check` looks at each weight.
            progress: Function that is called after each component with the number of components
                done, and the number of all.
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
                continue  # reported above
            if not _is_name(name):
                faults.append(Fault(name[:100], "not a name of a component; remove it"))
                continue
            faults.extend(self._verify(name, before, also, looked))
        return faults

    def _count(self) -> int:
        """Returns the number of versions, faulty ones included."""
        count = 0
        for name in filter(_is_name, self._storage.names("")):
            with suppress(InputError):  # reported as a fault later
                count += sum(map(is_version, self._storage.names(name)))
        return count

    def _verify(
        self,
        name: str,
        before: Check | None,
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
        """Removes what killed publishers left, and returns its paths.

        Args:
            older_than_s: Minimum age in seconds; a publisher may still work on younger files.
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
    """Returns the files of a package, checked except for their checksums."""
    _check_version(reference)
    content = package.content()
    check_names(str(reference), list(content), package.manifest)
    read_manifest(content[MANIFEST], str(reference))
    return content


def _check_files(reference: Reference, package: Package) -> None:
    for name, record in package.manifest.files.items():
        check_file(f"{name} of {reference}", package.files[name], record)


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
