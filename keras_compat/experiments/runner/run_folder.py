"""A job whose steps are kept: a run that was killed goes on, and a finished one grows."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from keras_compat.earlier import as_of_today
from keras_compat.errors import InputError
from keras_compat.escaping import escape
from keras_compat.experiments.runner.distributed_files import open_output_folder
from keras_compat.experiments.runner.item_folder import FAILURE, NETWORKS
from keras_compat.experiments.runner.output_folder import CONFIG, FINISHED, OutputFolder, difference
from keras_compat.experiments.runner.terminal import Terminal
from keras_compat.file_errors import file_errors_in_one_line
from keras_compat.files import copy_plain, read_json, remove, written_atomically


@contextmanager
def resumable_folder(
    path: str | os.PathLike[str],
    settings: Mapping[str, Any],
    overwrite: bool,
    *kept: str,
    resume: bool = True,
) -> Iterator[OutputFolder]:
    """Opens a run's output folder, in which an interrupted run of the same settings left its steps.

    Args:
        path: where the finished run is to be.
        settings: that all steps of the folder have in common.
        overwrite: see `OutputFolder`.
        *kept: names of folders that go on, that of all steps or checkpoints first.
        resume: whether they are kept; the run begins anew if not.

    Raises:
        InputError: as `OutputFolder`, and if a file cannot be read or written, as on a full disk.
            What else ends a run carries a note that says where its files are.
    """
    folder = open_output_folder(path, settings, overwrite, keep=kept if resume else ())
    for place in (folder.partial / name for name in kept):
        if os.path.lexists(place) and not place.is_dir():
            warnings.warn(f"{escape(place)} is no folder; it is removed", stacklevel=3)
            remove(place)
    try:
        with file_errors_in_one_line():
            yield folder
    except InputError:
        # Nothing was done that would be worth keeping, unless an earlier run left something.
        if not (folder.partial / kept[0]).exists():
            with suppress(OSError):
                remove(folder.partial)
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
def reporting(folder: OutputFolder) -> Iterator[None]:
    """Lets a report that cannot be written end a run in one line: what was trained is there.

    Args:
        folder: Folder of the run.

    Raises:
        InputError: for whatever goes wrong; it names the folder.
    """
    try:
        yield
    except OSError:
        raise
    # Whatever Matplotlib makes of names and figures that it was not made for.
    except Exception as error:
        told = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise InputError(
            f"the report cannot be written ({told}); {FINISHED} and what was trained are in "
            f"{folder.partial}, and the same command goes on from there"
        ) from error


def take_over(
    finished: Path,
    steps: Path,
    settings: Mapping[str, Any],
    measuring: Collection[str],
    check: Callable[[Path], None],
    terminal: Terminal,
) -> None:
    """Copies what a finished run that is to be replaced has of use: trained networks, measures.

    What failed there is tried again, and all is measured again if it is to be measured otherwise.

    Args:
        finished: the folder of the run.
        steps: where to copy its steps.
        settings: that all steps have in common.
        measuring: the settings that do not change how networks are trained.
        check: is called with the run's steps, and raises an `InputError` if they are of no use.
        terminal: where it is said that nothing is used.
    """
    place = finished / steps.name
    if not place.is_dir() or not os.path.lexists(finished / CONFIG):
        return
    here = json.loads(json.dumps(settings))
    try:
        before = as_of_today(read_json(finished / CONFIG, "the settings of a run"))
    except InputError as error:
        terminal.line(f"networks of the run before are not used: {error}")
        return
    there = {key: before.get(key) for key in here}
    other = {key for key in here if there[key] != here[key]}
    if other - set(measuring):
        terminal.line(f"networks of the run before are not used: {difference(there, here)}")
        return
    check(place)

    def left_out(folder: str, names: list[str]) -> set[str]:
        if not other or Path(folder).parent != place:
            return set(names) & set(FAILURE)
        return set(names) - {NETWORKS}

    with written_atomically(steps) as copy:
        copy_plain(place, copy, left_out)
