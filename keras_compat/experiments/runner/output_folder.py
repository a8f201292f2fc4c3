"""A run's output folder: there once the run has finished, and not before."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from keras_compat.earlier import as_of_today
from keras_compat.errors import InputError
from keras_compat.experiments.runner.run_lock import RunLock
from keras_compat.files import folder_made, read_json, remove, replace, write_text
from keras_compat.reporting.metrics import load_metrics

FINISHED = "metrics.json"
CONFIG = "config.json"
LOCK = ".keras_compat.lock"
MOVING = ".keras_compat.moving"
INSIDE = "run.partial"

RUN = "holds a finished run"
ADVICE = "choose another with --output_dir"


class OutputFolder:
    """Collects a run's files beside their place, and puts them there at the end.

    An interrupted run leaves `NAME.partial` and nothing that looks finished; the next run of the
    same settings begins again there, or goes on with what it is told to keep. Where the place is a
    folder that must stay the same one (an empty folder that is there already, a mount point, the
    working directory, a folder whose parent cannot be written), the files are collected in
    `NAME/run.partial` instead and moved up at the end, `metrics.json` last.

    Args:
        path: where the finished run is to be; links are followed.
        config: the run's settings; a partial folder of other settings is not touched.
        overwrite: whether a finished run, or a partial one of other settings, may be replaced.
            Nothing but a run is ever replaced.
        keep: names of files and folders that an interrupted run of the same settings leaves to
            this one.

    Raises:
        InputError: if the folder holds a finished run, files of another kind, an unfinished run
            of other settings or a run that is still going on, or cannot be written.

    Example:

    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "run"
    >>> folder = OutputFolder(place, {"seed": 0})
    >>> _ = (folder.partial / "metrics.json").write_text("{}")
    >>> place.exists(), folder.finish().name, place.exists()
    (False, 'run', True)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        config: Mapping[str, Any],
        overwrite: bool = False,
        keep: Collection[str] = (),
    ):
        self._name = os.fspath(path)
        self._keep = set(keep)
        self._overwrite = overwrite
        self._settings = json.loads(json.dumps(config))
        with _one_line(f"output folder {self._name!r} cannot be written", ADVICE):
            self.path = Path(os.path.realpath(self._name))
            _check_text(self.path)
            self._replaced = _mark(self.path) if overwrite and _is_run(self.path) else None
            self._refuse_what_is_there()
            self._begin_somewhere()
            # Another run may have finished between the first look and the lock.
            self._refuse_what_is_there()

    def finish(self) -> Path:
        """Puts the files in their place, and returns it.

        Raises:
            InputError: if the place was taken or became unusable during the run; the files stay
                in the partial folder, which the message names.
        """
        where = f"the run is done, and its files are in {str(self.partial)!r}"
        with _one_line(f"output folder {self._name!r} cannot be written", where):
            found = self._obstacle()
            if not found and not self._is_inside and _is_there(self.path / INSIDE):
                found = "holds an unfinished run"
            if found:
                raise InputError(f"output folder {self._name!r} {found} by now; {where}")
            if self._is_inside:
                self._move_up()
            elif self._replaced:
                replace(self.partial, self.path)
            else:
                os.rename(self.partial, self.path)
        # All is in its place now; what cannot be cleared away does no harm.
        with suppress(OSError):
            (self.path / LOCK).unlink(missing_ok=True)
        self.release()
        if self._is_inside:
            with suppress(OSError):
                remove(self.partial)
        return self.path

    def release(self) -> None:
        """Lets another run begin here; `finish` and the end of the process do so too."""
        self._lock.release()

    # The place ---------------------------------------------------------------------------------

    def _refuse_what_is_there(self) -> None:
        found = self._obstacle()
        if found:
            request = ", or replace it with --overwrite" if found == RUN else ""
            raise InputError(f"output folder {self._name!r} {found}; {ADVICE}{request}")

    def _obstacle(self) -> str | None:
        """Returns what is at the place that must not be replaced."""
        if not _is_there(self.path):
            return None
        if not self.path.is_dir():
            return "is a file"
        if _is_run(self.path):
            # One that appeared during this run is not the one that was to be replaced.
            return None if self._replaced == _mark(self.path) else RUN
        return "holds other files" if _names(self.path) - self._left_inside() else None

    def _left_inside(self) -> set[str]:
        """What a killed run that collected its files inside the place left there."""
        inside = self.path / INSIDE
        if not inside.is_dir():
            return set()
        moving = _read_json(inside / MOVING) if (inside / LOCK).is_file() else None
        listed = moving if isinstance(moving, list) else []
        return {name for name in _names(self.path) if name == INSIDE or name in listed}

    # The partial folder ------------------------------------------------------------------------

    @property
    def _is_inside(self) -> bool:
        return self.partial.parent == self.path

    def _begin_somewhere(self) -> None:
        inside = self.path / INSIDE
        exists = self.path.is_dir()
        here = self.path == Path.cwd().resolve()
        # Where another run may be at work inside, its lock is the one to ask.
        if exists and (self._replaced is None or here or _is_there(inside)):
            self._begin(inside)
            return
        try:
            self._begin(self.path.with_name(self.path.name + ".partial"))
        except OSError:
            if not exists:
                raise
            self._begin(inside)
            return
        if exists and not _can_move(self.path, self.partial):
            self.release()
            remove(self.partial)
            self._begin(inside)

    def _begin(self, partial: Path) -> None:
        """Makes the partial folder, but for what is kept, afresh; a foreign one is not touched."""
        self.partial = partial
        self._refuse_other_partial()
        new = not _is_there(partial)
        with folder_made(partial.parent):
            try:
                self._fill(partial)
            except OSError:
                if new:
                    self.__dict__.pop("_lock", None)
                    with suppress(OSError):
                        remove(partial)
                raise

    def _fill(self, partial: Path) -> None:
        partial.mkdir(exist_ok=True)
        self._lock = RunLock(partial / LOCK)
        if self._is_inside and self._replaced is None:
            for name in self._left_inside() - {INSIDE}:
                remove(self.path / name)
        same = as_of_today(_read_json(partial / CONFIG)) == as_of_today(self._settings)
        for name in _names(partial) - {LOCK} - (self._keep if same else set()):
            remove(partial / name)
        # Not by a rename: a process killed here leaves only this file, which is recognized.
        text = json.dumps(self._settings, indent=2) + "\n"
        (partial / CONFIG).write_text(text, encoding="utf-8")

    def _refuse_other_partial(self) -> None:
        if not _is_there(self.partial):
            return
        name = str(self.partial)
        names = _names(self.partial)
        settings = _read_json(self.partial / CONFIG)
        begun = settings is None and names <= {LOCK, CONFIG}
        moved = names <= {LOCK, MOVING}
        same = as_of_today(settings) == as_of_today(self._settings)
        if same or moved or (begun and LOCK in names):
            return
        if LOCK not in names:
            raise InputError(
                f"{name!r}, the place of unfinished files, holds others; move it away, or {ADVICE}"
            )
        if self._overwrite:
            return
        if not isinstance(settings, dict):
            raise InputError(
                f"{name!r} holds an unfinished run whose {CONFIG} is damaged, so that its settings "
                f"are not known; {ADVICE}, or replace it with --overwrite"
            )
        raise InputError(
            f"{name!r} holds an unfinished run of another configuration "
            f"({difference(settings, self._settings)}); {ADVICE}, or replace it with --overwrite"
        )

    def _move_up(self) -> None:
        """Moves the files from the partial folder inside the place up into it."""
        old = _names(self.path) - {INSIDE}
        new = _names(self.partial) - {LOCK, MOVING}
        # A process killed below leaves this list, by which the next run clears up.
        write_text(self.partial / MOVING, json.dumps(sorted(old | new)))
        for name in sorted(old, key=lambda name: name != FINISHED):
            remove(self.path / name)
        config = (self.partial / CONFIG).read_text(encoding="utf-8")
        moved = []
        try:
            # The partial folder keeps its config, to be known by.
            write_text(self.path / CONFIG, config)
            for name in sorted(new - {CONFIG}, key=lambda name: name == FINISHED):
                os.rename(self.partial / name, self.path / name)
                moved.append(name)
        except BaseException:
            for name in moved:
                os.rename(self.path / name, self.partial / name)
            remove(self.path / CONFIG)
            raise


@contextmanager
def _one_line(what: str, advice: str) -> Iterator[None]:
    """Turns what the file system and `os.path` raise into an `InputError`."""
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{what} ({error.strerror or error}); {advice}") from None
    except ValueError as error:
        raise InputError(f"{what} ({error}); {advice}") from None


def _is_there(path: Path) -> bool:
    """Like `Path.exists`, which takes a name that is too long or in a loop for a free one."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def _names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def _is_run(folder: Path) -> bool:
    """Whether a folder is a finished run of ours: it may be replaced if that is asked for."""
    if not isinstance(_read_json(folder / CONFIG), dict):
        return False
    try:
        load_metrics(folder / FINISHED)
    except InputError:
        return False
    return True


def _mark(folder: Path) -> tuple[int, ...]:
    """What tells a finished run from one that took its place."""
    found = (folder / FINISHED).stat()
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _read_json(path: Path) -> Any:
    """Returns what a file holds; `None` if there is none, or it is damaged."""
    try:
        return read_json(path, "what a run wrote")
    except InputError:
        return None


def _check_text(path: Path) -> None:
    """Raises a `ValueError` for a path that TensorFlow, which writes some files, cannot take."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ValueError("its name, or that of a folder above, is not UTF-8") from None


def difference(there: Any, here: Any, where: str = "") -> str:
    """Says in which key two configurations differ, the first if there are several.

    Example:

    >>> difference({"training": {"rounds": 10}}, {"training": {"rounds": 20}})
    'training.rounds is 10 there, 20 here'
    """
    if isinstance(there, dict) and isinstance(here, dict):
        missing = "not set"
        pairs = {k: (there.get(k, missing), here.get(k, missing)) for k in [*here, *there]}
        key = next(k for k, (a, b) in pairs.items() if a != b)
        return difference(*pairs[key], f"{where}.{key}" if where else key)
    return f"{where or 'config'} is {_short(there)} there, {_short(here)} here"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _can_move(folder: Path, filled: Path) -> bool:
    """Whether a folder can be renamed, without doing so: onto a filled one it never is.

    The system looks at permissions, mount points and layers before it looks at what is there.
    """
    try:
        os.rename(folder, filled)
    except OSError as error:
        return error.errno in (errno.ENOTEMPTY, errno.EEXIST)
    raise AssertionError(f"{folder} was renamed onto {filled}, which holds files")
