"""Where components lie: a folder, or what fsspec reaches.

Both kinds of place show a component whole or not at all, and refuse to publish one twice, also
when several publishers work at once and any of them dies.
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
"""Says, where nothing can be renamed, that a version is being published."""


def told(method: Callable[P, R]) -> Callable[P, R]:
    """Makes an error of the file system one of the store; two are answers, and stay."""

    @functools.wraps(method)
    def wrapped(*arguments: P.args, **keywords: P.kwargs) -> R:
        try:
            return method(*arguments, **keywords)
        # What is short of memory is said by whoever knows for what.
        except (FileNotFoundError, FileExistsError, InputError, MemoryError):
            raise
        # File systems behind a URL have errors of their own.
        except Exception as error:
            text = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
            place, path = arguments[0], arguments[1] if len(arguments) > 1 else ""
            why = f"cannot be used: {text or type(error).__name__}"
            raise UnreachableError(f"{_where(path, place.url)} {why}") from error

    return wrapped


class Storage(Protocol):
    """What the store asks of where it lies; all paths are relative, with `/` between names."""

    url: str

    def names(self, path: str) -> list[str]:
        """Returns what lies in a folder, sorted; nothing if there is no such folder."""

    def read(self, path: str, limit: int) -> bytes:
        """Returns a file.

        Raises:
            FileNotFoundError: if there is none.
            TooLargeError: if it has more than `limit` bytes.
            UnsafePathError: if it is no file, or a folder on the way is a link.
        """

    def publish(self, path: str, content: Mapping[str, bytes], ready: Callable[[], object]) -> None:
        """Makes a folder of files appear at once; the last file is what makes it whole.

        Args:
            path: of the folder.
            content: of the files, by name.
            ready: is called before anything can be seen; what it raises stops that.

        Raises:
            FileExistsError: if there is one.
        """

    def try_out(self, path: str, content: Mapping[str, bytes]) -> None:
        """Writes files as `publish` would, and removes them before anybody can see them."""

    def put(self, path: str, content: bytes) -> None:
        """Writes or replaces a file."""

    def remove(self, path: str) -> None:
        """Removes a component, whose manifest goes first."""

    def leftovers(self, older_than_s: float = 0) -> list[str]:
        """Returns what publishers that died, or work now, have left, if it is old enough."""

    def discard(self, path: str) -> None:
        """Removes one of the leftovers."""


def open_storage(url: str | os.PathLike[str]) -> Storage:
    """Returns the place that a path or an fsspec URL names.

    Args:
        url: a folder, or a URL such as `"s3://bucket/parts"`, with the package that fsspec
            needs for it installed.

    Raises:
        InputError: if fsspec does not know the URL's protocol, or lacks its package.

    Example:

    >>> open_storage("memory://parts").url
    'memory://parts'
    """
    text = os.fspath(url)
    if "://" not in text:
        return LocalStorage(Path(text))
    import fsspec  # listing a folder does without

    try:
        system, root = fsspec.core.url_to_fs(text)
    # A file system raises whatever it does on an address that it cannot use.
    except Exception as error:
        told = " ".join(str(error).split())[:200]
        raise InputError(
            f"the store {text!r} cannot be opened ({told}); expected a folder, or a URL that "
            "fsspec knows and whose package is installed"
        ) from None
    if "file" in (system.protocol if isinstance(system.protocol, tuple) else (system.protocol,)):
        return LocalStorage(Path(root))
    return RemoteStorage(system, root, text)


class LocalStorage:
    """A folder on this machine: what is published is renamed to its place.

    Args:
        root: the folder; it is made when something is published.
    """

    def __init__(self, root: Path):
        try:
            self._root = root.expanduser().absolute()
        except RuntimeError as error:
            raise InputError(f"the store {str(root)!r} cannot be found: {error}") from None
        self.url = str(root)

    @told
    def names(self, path: str) -> list[str]:
        try:
            return sorted(os.listdir(self._checked(path)))
        except FileNotFoundError:
            return []
        except NotADirectoryError:
            path = path if self._root.is_dir() else ""
            where = _where(path, self.url)
            raise UnsafePathError(f"{where} is a file; expected a folder") from None

    @told
    def read(self, path: str, limit: int) -> bytes:
        # Not blocking: a pipe in the place of a file would wait for someone to write.
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
            # One piece of memory; a file that grows meanwhile is cut off, and found out.
            return opened.read(status.st_size)

    @told
    def publish(self, path: str, content: Mapping[str, bytes], ready: Callable[[], object]) -> None:
        target = self._checked(path)
        # An empty folder is nobody's, and renamed onto.
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise FileExistsError(path)
        with self._staged(content) as staging, files.folder_made(target.parent):
            ready()
            try:
                # A folder that holds files is never renamed onto: whoever comes first wins.
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
        """Writes files into a folder that is gone at the end, unless it was renamed."""
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

    @told
    def try_out(self, path: str, content: Mapping[str, bytes]) -> None:
        self._checked(path)
        with self._staged(content):
            pass

    @told
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

    @told
    def remove(self, path: str) -> None:
        # Out of sight at once, whatever happens while it is removed.
        aside = self._checked(STAGING) / uuid.uuid4().hex
        aside.parent.mkdir(parents=True, exist_ok=True)
        os.rename(self._checked(path), aside)
        files.remove(aside)

    @told
    def leftovers(self, older_than_s: float = 0) -> list[str]:
        paths = [f"{STAGING}/{name}" for name in self.names(STAGING)]
        # A store that was copied from a URL brings the claims of there.
        found = (
            file.relative_to(self._root).as_posix() for file in self._root.glob(f"*/*/{CLAIM}")
        )
        paths += sorted(filter(_is_claim, found))
        return [
            path for path in paths if _since(self._checked(path).lstat().st_mtime) >= older_than_s
        ]

    @told
    def discard(self, path: str) -> None:
        whole = MANIFEST in self.names(os.path.dirname(path))
        files.remove(self._checked(path if whole else _claimed(path)))

    def _checked(self, path: str) -> Path:
        """The path in the file system, after making sure that no link leads out of the store."""
        place = str(self._root)
        for name in Path(path).parts:
            place = os.path.join(place, name)
            if os.path.islink(place):
                raise UnsafePathError(f"{path} in {self.url} is or lies behind a link; remove it")
        return Path(place)


class RemoteStorage:
    """What fsspec reaches: a claim keeps others away, and the manifest comes last.

    Args:
        system: of fsspec.
        root: the folder in it.
        url: by which the user knows it.
    """

    def __init__(self, system: Any, root: str, url: str):
        self._system = system
        self._root = root.rstrip("/")
        self.url = url

    @told
    def names(self, path: str) -> list[str]:
        with self._fresh() as system:
            try:
                found = system.ls(self._at(path), detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
        return sorted({str(name).rstrip("/").rsplit("/", 1)[-1] for name in found} - {""})

    @told
    def read(self, path: str, limit: int) -> bytes:
        with self._fresh() as system, system.open(self._at(path), "rb") as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise _too_large(path, self.url, len(content), limit)
        return content

    @told
    def publish(self, path: str, content: Mapping[str, bytes], ready: Callable[[], object]) -> None:
        ready()
        *before, last = content
        claim, manifest = f"{path}/{CLAIM}", self._at(f"{path}/{last}")
        mine = f"{uuid.uuid4().hex} {time.time()}".encode()
        with self._fresh() as system:
            system.makedirs(self._at(path), exist_ok=True)
            # Raises FileExistsError if another publisher has claimed it.
            system.pipe_file(self._at(claim), mine, mode="create")
            # One that has published it, and has taken its claim back, was first.
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
        """Removes what was written of a version that cannot be published, if it still can."""
        with suppress(Exception):
            if self._claimed_by(f"{path}/{CLAIM}") == mine:
                self.discard(f"{path}/{CLAIM}")

    @told
    def try_out(self, path: str, content: Mapping[str, bytes]) -> None:
        place = f"{STAGING}/{uuid.uuid4().hex}"
        with self._fresh() as system:
            system.makedirs(self._at(place), exist_ok=True)
            try:
                for name, data in content.items():
                    system.pipe_file(self._at(f"{place}/{name}"), data)
            finally:
                system.rm(self._at(place), recursive=True)

    def _claimed_by(self, claim: str) -> bytes:
        try:
            return self.read(claim, 64)
        except FileNotFoundError:
            return b""

    @told
    def put(self, path: str, content: bytes) -> None:
        with self._fresh() as system:
            system.makedirs(self._at(path.rpartition("/")[0]), exist_ok=True)
            system.pipe_file(self._at(path), content)

    @told
    def remove(self, path: str) -> None:
        with self._fresh() as system:
            if system.exists(self._at(f"{path}/{MANIFEST}")):
                system.rm_file(self._at(f"{path}/{MANIFEST}"))
            system.rm(self._at(path), recursive=True)

    @told
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
        """How long ago a version was claimed, in seconds; for ever, if nothing says when.

        Both the file system and the claim say when, and a clock can be wrong: what either of
        them calls young stays.
        """
        return min(map(_since, (self._written(claim), self._said(claim))))

    def _written(self, claim: str) -> float:
        try:
            when = self._system.modified(self._at(claim))
            return when.replace(tzinfo=when.tzinfo or UTC).timestamp()
        # Not every file system knows, and each says so by an error of its own.
        except Exception:
            return math.nan

    def _said(self, claim: str) -> float:
        try:
            return float(self.read(claim, 64).partition(b" ")[2])
        except (FileNotFoundError, ValueError):
            return math.nan

    @told
    def discard(self, path: str) -> None:
        folder = _claimed(path)
        with self._fresh() as system:
            if MANIFEST in self.names(folder):
                system.rm_file(self._at(path))  # whole: its publisher died before the last step
            else:
                system.rm(self._at(folder), recursive=True)

    @contextmanager
    def _fresh(self) -> Iterator[Any]:
        """The file system, without what it remembers: others write to it too."""
        self._system.invalidate_cache()
        yield self._system

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root


def _where(path: str, url: str) -> str:
    """What a message calls a place in a store; an empty path is the store itself."""
    return f"{path} in {url}" if path else f"the store {url}"


def _is_claim(path: str) -> bool:
    """Says whether a file is the claim of a version; elsewhere the name means nothing."""
    return path.endswith(f"/{CLAIM}") and path.count("/") == 2


def _claimed(path: str) -> str:
    """The folder of the version that a claim is of; any other path is returned as it is."""
    return path.removesuffix(f"/{CLAIM}")


def _since(when: float) -> float:
    """Seconds between a time and now, also of one that is ahead; for ever, if it is no number."""
    return abs(time.time() - when) if math.isfinite(when) else math.inf


def _too_large(path: str, url: str, size: int, limit: int) -> TooLargeError:
    return TooLargeError(f"{path} in {url} has {size} bytes or more; expected {limit} at most")


def _sync_folder(folder: Path) -> None:
    """Makes sure that the names in a folder survive a crash of the machine."""
    if os.name != "posix":
        return
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
