"""The folder of a run: written in place, and finished once it has `metrics.json`."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from keras_compat.errors import InputError
from keras_compat.escaping import escape
from keras_compat.experiments.runner.run_lock import RunLock
from keras_compat.file_errors import file_errors_in_one_line
from keras_compat.files import read_json, remove, write_text
from keras_compat.plugins import missing_plugins, plugin_versions, plugins_in
from keras_compat.printing import tell
from keras_compat.reporting.finished import CONFIG, FINISHED, LOCK
from keras_compat.reporting.metrics import load_metrics
from keras_compat.reporting.stored_settings import PLUGINS, as_of_today, difference

INSIDE = "run.partial"
"""The folder in a finished run that its successor writes."""
MEASURED = "metrics.unfinished.json"
WRITTEN = frozenset(
    {CONFIG, FINISHED, MEASURED, "report.md", "figures", "steps", "cells", "checkpoints", "logs"}
    | {"last_good", "networks", "components", "export", ".keras_compat.moving"}
)
"""Names of all files and folders that runs write; all others in a run's folder are the user's."""
# What a killed process leaves of a file or folder that was to appear whole.
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.(partial|replaced)")

_RUN = "holds a finished run"
_ADVICE = "choose another with --output_dir"


class RunFolder:
    """Locks a run's folder, and writes its settings there; `finish` makes the run finished.

    The files of a run are written in their place. Only where a finished run is to be replaced is
    its successor written in `run.partial` there, and moved up once it is complete. An interrupted
    run goes on in the place where it was, also in `NAME.partial`, where the release before wrote.

    Args:
        path: Path of the folder; links are followed.
        config: Settings of the run. An unfinished run of other settings is not touched.
        overwrite: Whether a finished run, or an unfinished one of other settings, may be replaced.
            Nothing but a run is ever replaced.
        kept: Names of folders that an interrupted run of the same settings leaves to this one.
        resume: Whether they are kept; the run begins anew if not.

    Attributes:
        path: Path of the finished run.
        partial: Folder that is written: `path`, or `run.partial` in it.

    Raises:
        InputError: if the folder holds a finished run, files of another kind, an unfinished run
            of other settings or a run that is still going on, or cannot be written.

    Example:

    >>> import tempfile
    >>> folder = RunFolder(Path(tempfile.mkdtemp()) / "run", {"seed": 0})
    >>> _ = folder.metrics.write_text("{}")
    >>> sorted(os.listdir(folder.finish()))
    ['config.json', 'metrics.json']
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        config: Mapping[str, Any],
        overwrite: bool = False,
        kept: Collection[str] = (),
        resume: bool = True,
    ):
        self._name = os.fspath(path)
        self._overwrite = overwrite
        self._kept = tuple(kept)
        self._settings = json.loads(json.dumps(config))
        self._lock: RunLock | None = None
        self._made: list[Path] = []
        with _one_line(f"output folder {self._name!r} cannot be written", _ADVICE):
            self.path = Path(os.path.realpath(self._name))
            str(self.path).encode()  # TensorFlow, which writes some files, takes UTF-8 alone
            try:
                self._begin(self._kept if resume else ())
            except BaseException:
                self.withdraw()
                raise

    @property
    def metrics(self) -> Path:
        """Path of the run's metrics until `finish` makes them its `metrics.json`."""
        return self.partial / MEASURED

    def finish(self) -> Path:
        """Makes the run finished, and returns its folder.

        Raises:
            InputError: if the place was taken or became unusable during the run; the message
                names where the files are.
        """
        where = f"the run is done, and its files are in {str(self.partial)!r}"
        with _one_line(f"output folder {self._name!r} cannot be written", where):
            if not self._lock.is_in_place():
                raise InputError(
                    f"{str(self.partial)!r} is not the folder any more that the run began in; "
                    f"{_ADVICE}, and give the command again"
                )
            if self.metrics.exists():
                if os.path.lexists(self.partial / FINISHED):
                    raise InputError(f"output folder {self._name!r} {_RUN} by now; {where}")
                os.rename(self.metrics, self.partial / FINISHED)
            if self.partial != self.path:
                self._move(self.partial, self.path)
        with suppress(OSError):
            (self.path / LOCK).unlink(missing_ok=True)
        self.release()
        return self.path

    def withdraw(self) -> None:
        """Ends a run that has failed; if nothing is worth keeping, what it made is removed."""
        if self._lock is not None and not _names(self.partial) & set(self._kept):
            with suppress(OSError):
                self._clear(self.partial)
                (self.partial / LOCK).unlink(missing_ok=True)
        self.release()
        for folder in self._made:
            with suppress(OSError):
                folder.rmdir()

    def release(self) -> None:
        """Lets another run begin here; `finish` and the end of the process do so too."""
        if self._lock is not None:
            self._lock.release()

    def _begin(self, kept: Collection[str]) -> None:
        if os.path.lexists(self.path) and not self.path.is_dir():
            raise self._refused("is a file")
        replaces = _is_run(self.path)
        if replaces and not self._overwrite:
            raise self._refused(_RUN)
        self.partial = self.path / INSIDE if replaces else self.path
        self._go_on_where_a_run_was(replaces)
        above = (self.partial, *self.partial.parents)
        self._made = [folder for folder in above if not os.path.lexists(folder)]
        self.partial.mkdir(parents=True, exist_ok=True)
        lock = RunLock(self.partial / LOCK)
        # Another run may have finished between the first look and the lock.
        if not replaces and os.path.lexists(self.path / FINISHED):
            remove(self.path / LOCK)
            lock.release()
            raise self._refused(_RUN)
        self._lock = lock
        same = self._is_of_these_settings(self.partial)
        self._clear(self.partial, kept if same else ())
        noted = {PLUGINS: plugins} if (plugins := plugins_in(plugin_versions())) else {}
        write_text(self.partial / CONFIG, json.dumps({**self._settings, **noted}, indent=2) + "\n")

    def _go_on_where_a_run_was(self, replaces: bool) -> None:
        """Finds what an earlier run left, and moves it to where this run writes.

        Raises:
            InputError: if it must not be replaced, or the place holds files of another kind.
        """
        inside, beside = self.path / INSIDE, self.path.with_name(f"{self.path.name}.partial")
        # The release before wrote beside and inside. An interrupted move has no lock in the place.
        own = [] if replaces else [self.path]
        places = own if own and os.path.lexists(self.path / LOCK) else [beside, inside, *own]
        left = next((place for place in places if self._is_ours(place)), None)
        names = _names(self.partial) - ({INSIDE} if left == inside else set())
        known = left == self.partial or (left is not None and CONFIG in names)
        if names and (not known or (FINISHED in names and not replaces)):
            raise self._refused(f"holds other files{f' in {INSIDE}' if replaces else ''}")
        if left is None:
            return
        self._check_settings(left)
        if left != self.partial:
            RunLock(left / LOCK).release()
            tell(f"going on with the unfinished run in {left}")
            # The release before wrote it when not all was complete.
            remove(left / FINISHED)
            self._move(left, self.partial)

    def _is_ours(self, folder: Path) -> bool:
        """Returns whether a folder holds an unfinished run."""
        names = _names(folder)
        return LOCK in names or (FINISHED not in names and self._is_of_these_settings(folder))

    def _is_of_these_settings(self, folder: Path) -> bool:
        return as_of_today(_read_json(folder / CONFIG)) == as_of_today(self._settings)

    def _check_settings(self, left: Path) -> None:
        """Raises an `InputError` if an unfinished run is of other settings, and must stay."""
        # An interrupted move begins with the settings.
        folder = left if os.path.lexists(left / CONFIG) else self.partial
        if not self._overwrite:
            check_plugins(folder)
        if self._overwrite or self._is_of_these_settings(folder):
            return
        settings = _read_json(folder / CONFIG)
        names = {name for name in _names(left) if not _TEMPORARY.fullmatch(name)}
        if settings is None and names <= {LOCK, CONFIG}:
            return
        if isinstance(settings, dict):
            other = difference(as_of_today(settings), as_of_today(self._settings))
            why = f"of another configuration ({other})"
        else:
            why = f"whose {CONFIG} is damaged, so that its settings are not known"
        raise InputError(
            f"{str(left)!r} holds an unfinished run {why}; {_ADVICE}, or replace it with "
            "--overwrite"
        )

    def _move(self, source: Path, target: Path) -> None:
        """Moves a run's files, in the place of another's; an interrupted move can be repeated."""
        target.mkdir(exist_ok=True)
        if os.path.lexists(source / CONFIG):
            self._clear(target, [CONFIG])
            os.replace(source / CONFIG, target / CONFIG)
        for name in sorted(_names(source) - {LOCK}, key=lambda name: name == FINISHED):
            os.rename(source / name, target / name)
        # All is in its place; what cannot be removed does no harm.
        with suppress(OSError):
            remove(source)

    def _clear(self, folder: Path, kept: Collection[str] = ()) -> None:
        """Removes what runs write; the file that makes a run finished goes first."""
        for name in sorted(_names(folder) - set(kept), key=lambda name: name != FINISHED):
            if name in WRITTEN or name in self._kept or _TEMPORARY.fullmatch(name):
                remove(folder / name)

    def _refused(self, found: str) -> InputError:
        request = ", or replace it with --overwrite" if found == _RUN else ""
        return InputError(f"output folder {self._name!r} {found}; {_ADVICE}{request}")


@contextmanager
def resumable_folder(
    path: str | os.PathLike[str],
    settings: Mapping[str, Any],
    overwrite: bool,
    *kept: str,
    resume: bool = True,
) -> Iterator[RunFolder]:
    """Opens a run's folder, in which an interrupted run of the same settings left its steps.

    The arguments are those of `RunFolder`, with the folder of all items first in `kept`.

    Raises:
        InputError: if the folder cannot be used, see `RunFolder`, or a file cannot be read or
            written, such as on a full disk. Other errors carry a note that says where the files
            are.
    """
    # Not above: it loads Keras.
    from keras_compat.experiments.runner.distributed_files import open_for_workers

    folder = open_for_workers(path, lambda p: RunFolder(p, settings, overwrite, kept, resume), kept)
    for place in (folder.partial / name for name in kept):
        if os.path.lexists(place) and not place.is_dir():
            warnings.warn(f"{escape(place)} is no folder; it is removed", stacklevel=3)
            remove(place)
    try:
        with file_errors_in_one_line():
            yield folder
    except InputError:
        folder.withdraw()
        raise
    except Exception as error:
        error.add_note(
            f"what was finished is kept in {folder.partial}: the same command goes on from there"
        )
        raise
    finally:
        # In a notebook the traceback of an error keeps the folder alive, and with it the lock.
        folder.release()


@contextmanager
def reporting(folder: RunFolder) -> Iterator[None]:
    """Lets a report that cannot be written end a run in one line: what was trained is there.

    Raises:
        InputError: if the report cannot be written; it names the folder.
    """
    try:
        yield
    except OSError:
        raise
    # Whatever Matplotlib makes of names and figures that it was not made for.
    except Exception as error:
        told = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise InputError(
            f"the report cannot be written ({told}); {MEASURED} and what was trained are in "
            f"{folder.partial}, and the same command goes on from there"
        ) from error


@contextmanager
def _one_line(what: str, advice: str) -> Iterator[None]:
    """Turns what the file system and `os.path` raise into an `InputError`."""
    try:
        yield
    except InputError:
        raise
    except UnicodeEncodeError:
        raise InputError(
            f"{what} (its name, or that of a folder above, is not UTF-8); {advice}"
        ) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{what} ({why}); {advice}") from None


def check_plugins(folder: str | os.PathLike[str]) -> None:
    """Raises an `InputError` if the unfinished run in a folder needs plugins that are not loaded.

    Example:

    >>> check_plugins("no/such/run")
    """
    settings = _read_json(Path(folder) / CONFIG)
    names = settings.get(PLUGINS, ()) if isinstance(settings, dict) else ()
    noted = map(str, names) if isinstance(names, list) else ()
    told = missing_plugins(noted, f"the run in {folder}")
    if told:
        raise InputError(told)


def _names(folder: Path) -> set[str]:
    return set(os.listdir(folder)) if os.path.isdir(folder) else set()


def _is_run(folder: Path) -> bool:
    """Returns whether a folder holds a finished run, which may be replaced on request."""
    try:
        load_metrics(folder / FINISHED)
    except InputError:
        return False
    return isinstance(_read_json(folder / CONFIG), dict)


def _read_json(path: Path) -> Any:
    """Returns what a file holds; `None` if there is none, or it is damaged."""
    try:
        return read_json(path, "what a run wrote")
    except InputError:
        return None
