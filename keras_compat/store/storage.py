"""Storage of a store's files: a folder, or any file system that fsspec reaches.

Both kinds show a component whole or not at all, and refuse to publish it twice, also when several
publishers work at once and any of them is killed.
"""

from __future__ import annotations

import errno
import functools
import math
import os
import stat
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

from keras_compat import files
from keras_compat.errors import InputError
from keras_compat.store.errors import TooLargeError, UnreachableError, UnsafePathError
from keras_compat.store.manifest import MANIFEST

STAGING = ".staging"
P = ParamSpec("P")
R = TypeVar("R")
CLAIM = ".claim"
"""File that marks a version as being published, where folders cannot be renamed."""


def store_errors(method: Callable[P, R]) -> Callable[P, R]:
    """Turns errors of the file system into errors of the store; missing and existing files stay."""

    @functools.wraps(method)
    def wrapped(*arguments: P.args, **keywords: P.kwargs) -> R:
        try:
            return method(*arguments, **keywords)
        # The caller of `read` explains a lack of memory.
        except (FileNotFoundError, FileExistsError, InputError, MemoryError):
            raise
        # File systems behind a URL have their own errors.
        except Exception as error:
            text = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
            storage, path = arguments[0], arguments[1] if len(arguments) > 1 else ""
            why = f"cannot be used: {text or type(error).__name__}"
            raise UnreachableError(f"{_where(path, storage.url)} {why}") from error

    return wrapped


class Storage(Protocol):
    """Storage of a store; all paths are relative, with `/` between names."""

    url: str

    def names(self, path: str) -> list[str]:
        """Returns the names in a folder, sorted; an empty list if there is no such folder."""

    def read(self, path: str, limit: int) -> bytes:
        """Returns the content of a file.

        Raises:
            FileNotFoundError: If there is none.
            TooLargeError: If it has more than `limit` bytes.
            UnsafePathError: If it is no plain file, or a folder above is a link.
        """

    def publish(self, path: str, content: Mapping[str, bytes], ready: Callable[[], object]) -> None:
        """Makes a folder of files appear at once; the last file completes it.

        Args:
            ready: Function that is called before the folder appears; its error stops the
                publishing.

        Raises:
            FileExistsError: If the folder exists.
        """

    def try_out(self, path: str, content: Mapping[str, bytes]) -> None:
        """Writes files as `publish` does, and removes them before anyone sees them."""

    def put(self, path: str, content: bytes) -> None:
        """Writes or replaces a file."""

    def remove(self, path: str) -> None:
        """Removes a component, its manifest first."""

    def leftovers(self, older_than_s: float = 0) -> list[str]:
        """Returns what killed or working publishers left, of a minimum age."""

    def discard(self, path: str) -> None:
        """Removes one of the leftovers."""


def open_storage(url: str | os.PathLike[str]) -> Storage:
    """Returns the storage at a path or an fsspec URL.

    Args:
        url: Path of a folder, or a URL such as `"s3://bucket/parts"`, with the package that fsspec
            needs for it installed.

    Raises:
        InputError: If fsspec does not know the URL's protocol, or lacks its package.

    Example:

    >>> open_storage("memory://parts").url
    'memory://parts'
    """
    text = os.fspath(url)
    if "://" not in text:
        return LocalStorage(Path(text))
    import fsspec  # a folder needs no fsspec

    try:
        system, root = fsspec.core.url_to_fs(text)
    # File systems raise any error on an unusable address.
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(
            f"the store {text!r} cannot be opened ({why}); expected a folder, or a URL that "
            "fsspec knows and whose package is installed"
        ) from None
    if "file" in (system.protocol if isinstance(system.protocol, tuple) else (system.protocol,)):
        return LocalStorage(Path(root))
    return RemoteStorage(system, root, text)


class LocalStorage:
    """A folder on this machine, in which publishing is one rename.

    Args:
        root: Path of the folder; the first publishing makes it.
    """

    def __init__(self, root: Path):
        try:
            self._root = root.expanduser().absolute()
        except RuntimeError as error:
            raise InputError(f"the store {str(root)!r} cannot be found: {error}") from None
        self.url = str(root)

    @store_errors
    def names(self, path: str) -> list[str]:
        try:
            return sorted(os.listdir(self._checked(path)))
        except FileNotFoundError:
            return []
        except NotADirectoryError:
            path = path if self._root.is_dir() else ""
            where = _where(path, self.url)
            raise UnsafePathError(f"{where} is a file; expected a folder") from None

    @store_errors
    def read(self, path: str, limit: int) -> bytes:
        # Not blocking: opening a pipe would wait for a writer.
        flags = os.O_RDONLY
        for flag in ("O_NONBLOCK", "O_NOFOLLOW", "O_BINARY"):
            flags |= getattr(os, flag, 0)
        file = os.open(self._checked(path), flags)
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            os.close(file)
            raise UnsafePathError(f"{path} in {self.url} is no plain file; remove it")
        with open(file, "rb") as opened:
            if status.st_size > limit:
                raise _too_large(path, self.url, status.st_size, limit)
            # One allocation; the checksum detects a file that grew meanwhile.
            return opened.read(status.st_size)

    @store_errors
    def publish(self, path: str, content: Mapping[str, bytes], ready: Callable[[], object]) -> None:
        target = self._checked(path)
        # `os.rename` replaces an empty folder.
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise FileExistsError(path)
        with self._staged(content) as staging, files.folder_made(target.parent):
            ready()
            try:
                # `os.rename` never replaces a folder that holds files: the first publisher wins.
                os.rename(staging, target)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST) or target.exists():
                    raise FileExistsError(path) from None
                if isinstance(error, FileNotFoundError):
                    raise UnreachableError(
                        f"{path} in {self.url} was not published: someone removed what was being "
                        "written; publish it again"
                    ) from None
                raise
            _sync_folder(target.parent)
            _sync_folder(self._root)

    @contextmanager
    def _staged(self, content: Mapping[str, bytes]) -> Iterator[Path]:
        """Writes files into a temporary folder, removed at the end unless it was renamed."""
        staging = self._checked(STAGING) / uuid.uuid4().hex
        with files.folder_made(staging):
            try:
                for name, data in content.items():
                    with open(staging / name, "xb") as file:
                        file.write(data)
                        file.flush()
                        os.fsync(file.fileno())
                _sync_folder(staging)
                yield staging
            finally:
                files.remove(staging)

    @store_errors
    def try_out(self, path: str, content: Mapping[str, bytes]) -> None:
        self._checked(path)
        with self._staged(content):
            pass

    @store_errors
    def put(self, path: str, content: bytes) -> None:
        staging = self._checked(STAGING) / uuid.uuid4().hex
        files.write_bytes(staging, content)
        target = self._checked(path)
        try:
            with files.folder_made(target.parent):
                os.replace(staging, target)
        finally:
            files.remove(staging)
        _sync_folder(target.parent)

    @store_errors
    def remove(self, path: str) -> None:
        # One rename hides the component, also if its removal is interrupted.
        aside = self._checked(STAGING) / uuid.uuid4().hex
        aside.parent.mkdir(parents=True, exist_ok=True)
        os.rename(self._checked(path), aside)
        files.remove(aside)

    @store_errors
    def leftovers(self, older_than_s: float = 0) -> list[str]:
        paths = [f"{STAGING}/{name}" for name in self.names(STAGING)]
        # A store that was copied from a URL may have claims.
        found = (
            file.relative_to(self._root).as_posix() for file in self._root.glob(f"*/*/{CLAIM}")
        )
        paths += sorted(filter(_is_claim, found))
        return [
            path for path in paths if _since(self._checked(path).lstat().st_mtime) >= older_than_s
        ]

    @store_errors
    def discard(self, path: str) -> None:
        whole = MANIFEST in self.names(os.path.dirname(path))
        files.remove(self._checked(path if whole else _claimed(path)))

    def _checked(self, path: str) -> Path:
        """Returns the path in the file system; raises an error if a link is on the way."""
        found = str(self._root)
        for name in Path(path).parts:
            found = os.path.join(found, name)
            if os.path.islink(found):
                raise UnsafePathError(f"{path} in {self.url} is or lies behind a link; remove it")
        return Path(found)


class RemoteStorage:
    """A file system of fsspec, in which a claim keeps others away and the manifest comes last."""

    def __init__(self, system: Any, root: str, url: str):
        self._system = system
        self._root = root.rstrip("/")
        self.url = url

    @store_errors
    def names(self, path: str) -> list[str]:
        with self._fresh() as system:
            try:
                found = system.ls(self._at(path), detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
        return sorted({str(name).rstrip("/").rsplit("/", 1)[-1] for name in found} - {""})

    @store_errors
    def read(self, path: str, limit: int) -> bytes:
        with self._fresh() as system, system.open(self._at(path), "rb") as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise _too_large(path, self.url, len(content), limit)
        return content

    @store_errors
    def publish(self, path: str, content: Mapping[str, bytes], ready: Callable[[], object]) -> None:
        ready()
        *before, last = content
        claim, manifest = f"{path}/{CLAIM}", self._at(f"{path}/{last}")
        mine = f"{uuid.uuid4().hex} {time.time()}".encode()
        with self._fresh() as system:
            system.makedirs(self._at(path), exist_ok=True)
            # Raises FileExistsError if another publisher has claimed the version.
            system.pipe_file(self._at(claim), mine, mode="create")
            # Another publisher was first, and has removed its claim.
            if system.exists(manifest):
                system.rm_file(self._at(claim))
                raise FileExistsError(path)
            try:
                for name in before:
                    system.pipe_file(self._at(f"{path}/{name}"), content[name])
                if self._claimed_by(claim) != mine:
                    raise UnreachableError(
                        f"{path} in {self.url} was not published: someone removed what was being "
                        "written; publish it again"
                    )
                system.pipe_file(manifest, content[last], mode="create")
            except BaseException:
                self._take_back(path, mine)
                raise
            system.rm_file(self._at(claim))

    def _take_back(self, path: str, mine: bytes) -> None:
        """Removes the files of a version that could not be published, if that is still possible."""
        with suppress(Exception):
            if self._claimed_by(f"{path}/{CLAIM}") == mine:
                self.discard(f"{path}/{CLAIM}")

    @store_errors
    def try_out(self, path: str, content: Mapping[str, bytes]) -> None:
        staging = f"{STAGING}/{uuid.uuid4().hex}"
        with self._fresh() as system:
            system.makedirs(self._at(staging), exist_ok=True)
            try:
                for name, data in content.items():
                    system.pipe_file(self._at(f"{staging}/{name}"), data)
            finally:
                system.rm(self._at(staging), recursive=True)

    def _claimed_by(self, claim: str) -> bytes:
        try:
            return self.read(claim, 64)
        except FileNotFoundError:
            return b""

    @store_errors
    def put(self, path: str, content: bytes) -> None:
        with self._fresh() as system:
            system.makedirs(self._at(path.rpartition("/")[0]), exist_ok=True)
            system.pipe_file(self._at(path), content)

    @store_errors
    def remove(self, path: str) -> None:
        with self._fresh() as system:
            if system.exists(self._at(f"{path}/{MANIFEST}")):
                system.rm_file(self._at(f"{path}/{MANIFEST}"))
            system.rm(self._at(path), recursive=True)

    @store_errors
    def leftovers(self, older_than_s: float = 0) -> list[str]:
        with self._fresh() as system:
            try:
                found = system.find(self._root)
            except FileNotFoundError:
                return []
        at = len(self._root) + 1
        claims = sorted(path for path in (str(name)[at:] for name in found) if _is_claim(path))
        return [claim for claim in claims if self._age(claim) >= older_than_s]

    def _age(self, claim: str) -> float:
        """Returns the seconds since a version was claimed; infinity if the time is unknown.

        Both the file system and the claim tell the time, and either clock can be wrong: the younger
        age counts.
        """
        return min(map(_since, (self._written(claim), self._said(claim))))

    def _written(self, claim: str) -> float:
        try:
            when = self._system.modified(self._at(claim))
            return when.replace(tzinfo=when.tzinfo or UTC).timestamp()
        # File systems without modification times raise various errors.
        except Exception:
            return math.nan

    def _said(self, claim: str) -> float:
        try:
            return float(self.read(claim, 64).partition(b" ")[2])
        except (FileNotFoundError, ValueError):
            return math.nan

    @store_errors
    def discard(self, path: str) -> None:
        folder = _claimed(path)
        with self._fresh() as system:
            if MANIFEST in self.names(folder):
                system.rm_file(self._at(path))  # complete: only its last step is missing
            else:
                system.rm(self._at(folder), recursive=True)

    @contextmanager
    def _fresh(self) -> Iterator[Any]:
        """Yields the file system with its cache emptied, because others write to it too."""
        self._system.invalidate_cache()
        yield self._system

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root


def _where(path: str, url: str) -> str:
    """Returns words for a path in a store; an empty path is the store itself."""
    return f"{path} in {url}" if path else f"the store {url}"


def _is_claim(path: str) -> bool:
    """Returns whether a path is the claim of a version."""
    return path.endswith(f"/{CLAIM}") and path.count("/") == 2


def _claimed(path: str) -> str:
    """Returns the folder of a claim's version; any other path stays as it is."""
    return path.removesuffix(f"/{CLAIM}")


def _since(when: float) -> float:
    """Returns the seconds between now and a past or future time; infinity for NaN."""
    return abs(time.time() - when) if math.isfinite(when) else math.inf


def _too_large(path: str, url: str, size: int, limit: int) -> TooLargeError:
    return TooLargeError(f"{path} in {url} has {size} bytes or more; expected {limit} at most")


def _sync_folder(folder: Path) -> None:
    """Makes the names in a folder survive a crash of the machine."""
    if os.name != "posix":
        return
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
