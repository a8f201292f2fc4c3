"""Applies head updates on a device and classifies with them; one file to copy to the device.

    python device_client.py apply FOLDER ARCHIVE
    python device_client.py status FOLDER
    python device_client.py rollback FOLDER
    python device_client.py classify FOLDER IMAGES.npy

It needs Python's standard library, NumPy and ai-edge-litert (or tflite-runtime), and nothing else
of this package. `python -m apps.components install` writes FOLDER with `extractor.tflite`,
`extractor.json` and `device.json`. The client adds `heads/NUMBER/` and `state.json`, which names
the head in use.

A refused update ends with exit code 2 and one line, and the head in use stays. It also stays if
the device loses power at any moment: one rename, of `state.json`, switches heads. A head always
runs in a separate process with limits of memory and time. If it exceeds them, or a file is
damaged or missing, the newest other head that works is used, and a warning says so in one line.
`--seconds=N` allows a head more than 8 seconds for an image.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import json
import logging
import math
import os
import re
import signal
import stat
import struct
import subprocess
import sys
import threading
import time
import weakref
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

try:
    import fcntl
    import resource
except ImportError:  # Windows: no limits of memory; the user must not run two applies at once
    fcntl = resource = None

if TYPE_CHECKING:
    import numpy as np

SCHEMA = 1
UPDATE = "update.json"
COMPONENT = ("README.md", "manifest.json", "weights.safetensors")
QUANTIZATIONS = ("float32", "float16", "dynamic", "int8")
LARGEST_UPDATE = 2**20
LARGEST_FILE = 2**28
LARGEST_ARCHIVE = 2**30
MOST_EXTRACTORS = 64
# A device accepts any number up to this one, also times such as 20261129130559. Above it, numbers
# may rise only in small steps, so that there is always a valid next number.
FARTHEST_NUMBER = 10**14
HIGHEST_NUMBER = FARTHEST_NUMBER * 11 // 10  # limit for new updates

_EXTRACTOR, _DEVICE, _STATE, _HEAD = "extractor.tflite", "device.json", "state.json", "head.tflite"
_HEADS, _INCOMING, _INSTALLED = "heads", "incoming", "installed.json"
_OF_A_HEAD = {UPDATE, _HEAD, _INSTALLED}
_CHUNK = 2**16
_HEAD_MEMORY = 2**29
# Limit of a head's processor time for one image: seconds, or a multiple of the extractor's time if
# that is more. The limit of wall-clock time is several times that, since other programs may run.
_SECONDS, _TIMES_EXTRACTOR, _TIMES_PROCESSOR, _LEAST_CLOCK = 8.0, 50, 15, 10
_START_SECONDS = 600
_LONGEST_TOLD = 1000

_log = logging.getLogger("device_client")


class UpdateError(ValueError):
    """An error of one line."""


class _HeadError(UpdateError):
    """An error of one head; another head may work."""


# The archive is a zip file of one exact form: members stored one after another, without comments,
# extra fields, dates or gaps. So the content determines every byte, nothing is decompressed, and no
# member's name becomes a path.

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s4B4H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_VERSION, _UNIX, _DATE, _MODE = 20, 3, 33, 0o100644 << 16
_SIZE_AT, _CRC_AT = 22, 14
_NOT_KEPT = "what is in the archive cannot be written"


def head_file(extractor_sha256: str) -> str:
    """Returns the name of the archive's member for an extractor.

    Example:

    >>> head_file("0123456789abcdef" * 4)
    'head-0123456789abcdef.tflite'
    """
    return f"head-{extractor_sha256[:16]}.tflite"


def read_archive(
    path: str | Path,
    choose: Callable[[dict[str, Any]], Mapping[str, Path]] = lambda update: {},
) -> dict[str, Any]:
    """Checks every byte of an update; returns the content of `update.json`.

    Memory stays within some megabytes, whatever the archive claims.

    Args:
        path: Path of the archive.
        choose: Function that gets the content of `update.json` before anything else is read. It
            returns paths to write by the name of the member, also for `update.json`. Its error ends
            the reading.

    Raises:
        UpdateError: If the archive is not a complete update.

    Example:

    >>> read_archive("no/such.zip")
    Traceback (most recent call last):
        ...
    keras_compat.updates.device_client.UpdateError: 'no/such.zip' cannot be read: No such file ...
    """
    try:
        with _opened(path, "an update's archive") as file:
            return _Archive(file, os.fstat(file.fileno()).st_size).read(choose)
    except (OSError, ValueError) as error:
        if isinstance(error, UpdateError):
            raise
        raise UpdateError(f"{_quoted(str(path))} cannot be read: {_reason(error)}") from None


class _Archive:
    def __init__(self, file, size):
        self._file = file
        self._size = size
        self._central = b""
        self._count = 0

    def read(self, choose):
        if self._size > LARGEST_ARCHIVE:
            raise UpdateError(
                f"the archive has {self._size} bytes; expected {LARGEST_ARCHIVE} at most"
            )
        start = self._file.read(_LOCAL.size)
        if len(start) < _LOCAL.size or not start.startswith(b"PK\3\4"):
            raise UpdateError(
                "no archive of an update; expected a zip file of the form that this package writes"
            )
        (size,) = struct.unpack_from("<L", start, _SIZE_AT)
        if size > LARGEST_UPDATE:
            raise UpdateError(f"{UPDATE} claims {size} bytes; expected {LARGEST_UPDATE} at most")
        self._file.seek(0)
        content = bytearray()
        self._member(UPDATE, size, content.extend)
        update = read_update(bytes(content))
        self._check_size(size, update["files"])
        targets = choose(update)
        if UPDATE in targets:
            with _failures(_NOT_KEPT), open(targets[UPDATE], "xb") as target:
                target.write(content)
                _sync_file(target)
        for name, record in sorted(update["files"].items()):
            with contextlib.ExitStack() as opened:
                keep = None
                if name in targets:
                    opened.enter_context(_failures(_NOT_KEPT))
                    target = opened.enter_context(open(targets[name], "xb"))
                    keep = target.write
                found = self._member(name, record["size"], keep)
                if found != record["sha256"]:
                    raise UpdateError(f"{name} is damaged: its SHA-256 is not what {UPDATE} says")
                if keep is not None:
                    _sync_file(target)
        self._end()
        return update

    def _check_size(self, size, files):
        """Compares the archive's size with `update.json`, before large members are read."""
        named = {UPDATE: size, **{name: record["size"] for name, record in files.items()}}
        whole = _END.size + sum(
            _LOCAL.size + _CENTRAL.size + 2 * len(name) + size for name, size in named.items()
        )
        if whole != self._size:
            raise UpdateError(
                f"the archive has {self._size} bytes; {UPDATE} says {whole}: fetch it again"
            )

    def _member(self, name, size, keep):
        """Reads one member in chunks; returns its SHA-256."""
        offset = self._file.tell()
        header = self._file.read(_LOCAL.size + len(name))
        (crc,) = struct.unpack_from("<L", header, _CRC_AT) if len(header) > _SIZE_AT else (0,)
        common = (0, 0, 0, _DATE, crc, size, size, len(name), 0)
        if header != _LOCAL.pack(b"PK\3\4", _VERSION, *common) + name.encode():
            raise UpdateError(f"the archive does not hold {name} where it should be")
        digest, check, left = hashlib.sha256(), 0, size
        while left:
            chunk = self._file.read(min(left, _CHUNK))
            if not chunk:
                raise UpdateError(f"{name} is cut off: fetch the archive again")
            digest.update(chunk)
            check = zlib.crc32(chunk, check)
            left -= len(chunk)
            if keep is not None:
                keep(chunk)
        if check != crc:
            raise UpdateError(f"{name} is damaged: its CRC-32 is not what the archive says")
        version = (_VERSION, _UNIX, _VERSION, 0)
        self._central += _CENTRAL.pack(b"PK\1\2", *version, *common, 0, 0, 0, _MODE, offset)
        self._central += name.encode()
        self._count += 1
        return digest.hexdigest()

    def _end(self):
        start, count = self._file.tell(), self._count
        end = _END.pack(b"PK\5\6", 0, 0, count, count, len(self._central), start, 0)
        if self._file.read(len(self._central) + len(end) + 1) != self._central + end:
            raise UpdateError("the archive's directory is not that of its members")


# Checks of JSON files. Each check takes a value and its path in the file.


def _object(**fields):
    def check(value, where):
        if type(value) is not dict:
            raise UpdateError(f"{where} is {_quoted(value)}; expected {', '.join(fields)}")
        if set(value) != set(fields):
            raise UpdateError(f"{where} has other fields than {', '.join(fields)}")
        for name, check_field in fields.items():
            check_field(value[name], f"{where}: {name}")

    return check


def _whole(least, most):
    def check(value, where):
        if type(value) is not int or not least <= value <= most:
            raise UpdateError(f"{where} is {_quoted(value)}; expected {least} to {most}")

    return check


def _fraction(value, where):
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise UpdateError(f"{where} is {_quoted(value)}; expected a fraction from 0 to 1")


def _text(pattern, longest=200):
    form = re.compile(pattern)

    def check(value, where):
        if type(value) is not str or len(value) > longest or not form.fullmatch(value):
            raise UpdateError(f"{where} is {_quoted(value)}; expected a text as {pattern}")

    return check


def _list(item, least, most):
    def check(value, where):
        if type(value) is not list or not least <= len(value) <= most:
            raise UpdateError(f"{where} is {_quoted(value)}; expected a list of {least} to {most}")
        for one in value:
            item(one, where)

    return check


def _shape(value, where):
    _list(_whole(1, 65_536), 3, 3)(value, where)


def _files(value, where):
    if type(value) is not dict:
        raise UpdateError(f"{where} is {_quoted(value)}; expected files by name")
    for name, record in value.items():
        _object(size=_whole(1, LARGEST_FILE), sha256=_sha256)(record, f"{where}: {_quoted(name)}")


# No control characters, line breaks or marks that change the direction of a text.
_line = _text("[^\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]+")
_word = _text(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", 64)
_reference = _text(r"[a-z0-9._-]{1,64}@[a-z0-9.-]{1,32}", 97)
_sha256 = _text("[0-9a-f]{64}")
_quantization = _text("|".join(QUANTIZATIONS))
_NUMBERS = (1, 2**53)
_FAMILIES = _list(_sha256, 0, 64)

_CHECK_UPDATE = _object(
    schema_version=_whole(SCHEMA, SCHEMA),
    name=_word,
    number=_whole(*_NUMBERS),
    created=_text("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"),
    class_names=_list(_line, 1, 100_000),
    families=_FAMILIES,
    extractors=_list(
        _object(
            component=_reference,
            sha256=_sha256,
            quantization=_quantization,
            interface=_shape,
            accuracy=_fraction,
            images=_whole(1, 2**53),
        ),
        1,
        MOST_EXTRACTORS,
    ),
    files=_files,
)
_CHECK_DEVICE = _object(
    schema_version=_whole(SCHEMA, SCHEMA),
    updates=_word,
    component=_reference,
    sha256=_sha256,
    size=_whole(1, 2**40),
    quantization=_quantization,
    image_shape=_shape,
    interface=_shape,
    families=_FAMILIES,
)
_STATE_FIELDS = _object(
    schema_version=_whole(SCHEMA, SCHEMA),
    current=_whole(*_NUMBERS),
    previous=_whole(0, _NUMBERS[1]),
    highest=_whole(*_NUMBERS),
)
# Written beside a head: digest of its update.json, copy of device.json, digest of both.
_CHECK_INSTALLED = _object(
    schema_version=_whole(SCHEMA, SCHEMA), update=_sha256, device=_CHECK_DEVICE, sha256=_sha256
)


def _check_state(value, where):
    _STATE_FIELDS(value, where)
    current, previous = value["current"], value["previous"]
    if current == previous or value["highest"] != max(current, previous):
        raise UpdateError(f"{where} contradicts itself")


def read_update(content: bytes) -> dict[str, Any]:
    """Reads the content of an `update.json`, also from strangers.

    Raises:
        UpdateError: If it does not fit the schema.

    Example:

    >>> read_update(b"[]")
    Traceback (most recent call last):
        ...
    keras_compat.updates.device_client.UpdateError: update.json is 'list'; expected ...
    """
    update = _parsed(content, UPDATE, _CHECK_UPDATE)
    shas = [extractor["sha256"] for extractor in update["extractors"]]
    heads = {head_file(sha256) for sha256 in shas}
    if len(heads) != len(shas) or len(set(update["class_names"])) != len(update["class_names"]):
        raise UpdateError(f"{UPDATE} names a class or an extractor twice")
    if set(update["files"]) not in (heads, heads | set(COMPONENT)):
        raise UpdateError(f"{UPDATE}: files are not those of its extractors and its component")
    return update


def read_device(folder: str | Path) -> dict[str, Any]:
    """Returns the content of a device's `device.json`, or of a head's copy if that is damaged.

    Raises:
        UpdateError: If it is missing or damaged, and no head has a copy.
    """
    return _device(Path(folder))[0]


def _device(folder):
    """Returns the installed content of `device.json`, and words for its damage or ""."""
    try:
        device, wrong = _parsed(_content(folder / _DEVICE), _DEVICE, _CHECK_DEVICE), ""
    except UpdateError as error:
        device, wrong = None, str(error)
    for number in _numbers(folder):
        copy = _kept(folder / _HEADS / str(number)).get("device", device)
        if copy != device and _passes(check_extractor, folder, copy):
            return copy, f"{wrong or f'{_DEVICE} is not what was installed'}; head {number} has it"
    if device is None:
        raise UpdateError(wrong)
    return device, wrong


def check_extractor(folder: str | Path, device: dict[str, Any]) -> None:
    """Raises `UpdateError` if a device's extractor is missing, or differs from `device.json`."""
    digest = hashlib.sha256()
    with (
        _failures(f"{_EXTRACTOR} cannot be read"),
        _opened(Path(folder) / _EXTRACTOR, "a plain file", links=False) as file,
    ):
        if os.fstat(file.fileno()).st_size == device["size"]:
            for chunk in iter(lambda: file.read(_CHUNK), b""):
                digest.update(chunk)
    if digest.hexdigest() != device["sha256"]:
        raise UpdateError(f"{_EXTRACTOR} is not what {_DEVICE} says; install it again")


def _passes(check, *arguments):
    try:
        check(*arguments)
    except UpdateError:
        return False
    return True


def _parsed(content, what, check):
    """Returns the value of a JSON text that passes a check and has no key twice."""

    def once(pairs):
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a key is there twice")
        return found

    def no_number(text):
        raise ValueError(f"{text} is no number")

    try:
        value = json.loads(
            content.decode("utf-8"), object_pairs_hook=once, parse_constant=no_number
        )
    except (ValueError, RecursionError, MemoryError) as error:
        raise UpdateError(f"{what} is not valid JSON: {_reason(error)}") from None
    version = value.get("schema_version") if type(value) is dict else None
    if type(version) is int and version > SCHEMA:
        raise UpdateError(
            f"{what} is of schema {_quoted(version)}; this client reads {SCHEMA}: take a later one"
        )
    check(value, what)
    return value


def _quoted(value):
    """Returns a value as short printable text."""
    text = ascii(value if not isinstance(value, (dict, list)) else type(value).__name__)
    return text if len(text) <= 80 else f"{text[:80]}..."


def _reason(error):
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return ascii(" ".join(text.split())[:200])[1:-1]


def _visible(text):
    """Returns a text with all invisible characters as codes."""
    return "".join(
        sign if sign.isprintable() or sign in "\u200c\u200d" else ascii(sign)[1:-1] for sign in text
    )


# Commands on a device.


def apply(folder: str | Path, archive: str | Path, seconds: float = _SECONDS) -> dict[str, Any]:
    """Checks an update and puts its head into use.

    Args:
        seconds: Limit of a head's processor time for one image, see `Classifier`; half of it while
            the head is tried.

    Returns:
        The content of `update.json`.

    Raises:
        UpdateError: If the update is incomplete, for another device, or not newer than all before;
            its head does not run on the extractor; or a package is missing. The head in use stays.
    """
    folder = Path(folder)
    with _failures(f"{_quoted(str(archive))} cannot be applied"), _locked(folder):
        device, wrong = _device(folder)
        check_extractor(folder, device)
        state, lost = _state(folder, device)
        heads = folder / _HEADS
        incoming, place = heads / _INCOMING, None
        for path in (heads, incoming):
            if path == incoming or not _is_folder(path):
                _make_room(path)
                path.mkdir()
        try:
            update = _received(incoming, folder, archive, device, state)
            number = update["number"]
            _try(folder, device, incoming, seconds)
            _sync_folder(incoming)
            _make_room(heads / str(number))
            place = heads / str(number)
            os.rename(incoming, place)
            _sync_folder(heads)
            earlier = state["current"] if state["current"] != number else state["previous"]
            new = {"current": number, "previous": earlier, "highest": number}
            _set_state(folder, new)
        finally:
            _remove_head(incoming)
            if place is not None and not _is_current(folder, number):
                _remove_head(place)
        if wrong:
            _replace(folder / _DEVICE, device)
        for text in filter(None, (wrong, lost)):
            _log.warning(f"{text}: it is rewritten")
        for other in set(_numbers(folder)) - set(new.values()):
            _remove_head(heads / str(other))
    return update


def rollback(folder: str | Path) -> int:
    """Puts the previous head back into use; a second rollback undoes the first.

    The number of the replaced head stays the highest that the device had. Only if that number is
    above the limit for new updates does the device accept any number above the earlier head's.

    Returns:
        The number of the head in use.

    Raises:
        UpdateError: If there is no earlier head, or it is damaged.
    """
    folder = Path(folder)
    with _failures("nothing was rolled back"), _locked(folder):
        device = read_device(folder)
        state, _ = _state(folder, device)
        current, previous = state["current"], state["previous"]
        if not previous:
            raise UpdateError("there is no earlier head to go back to")
        _installed_head(folder, device, previous)
        new = {**state, "current": previous, "previous": current}
        if current > HIGHEST_NUMBER:
            new |= {"previous": 0, "highest": previous}
        _set_state(folder, new)
    return previous


def status(folder: str | Path) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Returns the content of `device.json`, and of the used head's `update.json` or None.

    Does not run the head. If it is damaged, the head that would replace it counts, with a warning.

    Raises:
        UpdateError: If the extractor is damaged, or all heads are.
    """
    folder = Path(folder)
    device, wrong = _device(folder)
    check_extractor(folder, device)
    found = _first_that_works(folder, device, [wrong], lambda update, head: None)
    return device, found and found[0]


class Classifier:
    """The installed extractor with the head that is in use when this object is made.

    Both run in one separate process for all images, with limits of memory and time. A head that
    exceeds them, dies, is damaged or returns NaN or infinity is rolled back: the newest other head
    that works answers and stays in use, and the logger `device_client` warns. Several threads may
    share this object.

    Args:
        seconds: Limit of a head's processor time for one image in seconds, or 50 times the
            extractor's time if that is more.

    Raises:
        UpdateError: If no head is in use or none works, the extractor is damaged, or a package is
            missing.

    Example:

    >>> with Classifier("phone") as classifier:  # doctest: +SKIP
    ...     classifier.classify(image)
    ('cat', 0.98)
    """

    def __init__(self, folder: str | Path, seconds: float = _SECONDS):
        self._folder, self._seconds = Path(folder), seconds
        self._lock, self._process_id = threading.Lock(), os.getpid()
        self.device, wrong = _device(self._folder)
        check_extractor(self._folder, self.device)
        if wrong:
            _recorded(self._folder, lambda: _replace(self._folder / _DEVICE, self.device))
        self._settle([wrong])

    def __enter__(self) -> Classifier:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process; deleting this object does the same."""
        self._worker.close()

    def scores(self, image: np.ndarray) -> np.ndarray:
        """Returns the probability of each class: float32 `[classes]`.

        Args:
            image: uint8 `[height, width, channels]`.
        """
        import numpy as np

        return np.frombuffer(self._answer(self._checked(image))[1], "float32").copy()

    def classify(self, image: np.ndarray) -> tuple[str, float]:
        """Returns the name of the most probable class, and its probability."""
        return self._likeliest(self._checked(image))

    def _checked(self, image):
        shape = tuple(self.device["image_shape"])
        if image.shape != shape or image.dtype != "uint8":
            raise UpdateError(
                f"an image is {image.dtype} {image.shape}; expected uint8 {shape}, which the "
                "extractor takes"
            )
        return image.tobytes()

    def _likeliest(self, image):
        names, answer = self._answer(image)
        scores = memoryview(answer).cast("f")
        best = max(range(len(names)), key=scores.__getitem__)
        return names[best], scores[best]

    def _answer(self, image):
        """Returns the class names, and their probabilities as bytes."""
        if self._process_id != os.getpid():  # after a fork, the worker belongs to the parent
            self._lock, self._process_id = threading.Lock(), os.getpid()
            self._settle([])
        with self._lock:
            if self._worker.has_ended():  # ended while idle: not the head's fault
                self._settle([])
            try:
                answer = self._worker.run(image)
            except _HeadError as error:
                number = self.update["number"]
                # A system without free memory kills the largest process; so try the head once more.
                known = None if isinstance(error, _Killed) else number
                wrong = f"head {number} is given up: {error}" if known else ""
                answer = self._settle([wrong], image, known)
            return self.update["class_names"], answer

    def _settle(self, wrong, image=None, broken=None):
        """Puts the first head that works into use; returns its answer for an image."""

        def use(update, head):
            classes = len(update["class_names"])
            worker = _Worker(self._folder, self.device, head, classes, self._seconds)
            return worker, image and worker.run(image)

        found = _first_that_works(self._folder, self.device, wrong, use, broken, record=True)
        if found is None:
            raise UpdateError("the device has no head yet; apply an update")
        self.update, (self._worker, answer) = found
        return answer


def _received(incoming, folder, archive, device, state):
    """Writes the device's files of an update; returns the content of `update.json`."""
    highest = state["highest"]
    damaged = highest and not _passes(_installed_head, folder, device, highest)
    repairs = highest if damaged else None
    update = read_archive(archive, lambda said: _wanted(said, device, state, repairs, incoming))
    _write(incoming / _INSTALLED, _installed(incoming, device))
    return update


def _wanted(update, device, state, repairs, incoming):
    """Raises `UpdateError` if an update is not for this device; returns the files to write."""
    if update["name"] != device["updates"]:
        raise UpdateError(
            f"the update is of {update['name']}; this device takes those of {device['updates']}"
        )
    _check_number(update["number"], state, repairs)
    families = set(device["families"])
    if families and not families & set(update["families"]):
        raise UpdateError(
            f"the update's head is not of the family of the extractor {device['component']}"
        )
    entry = _extractor_entry(update, device)
    found, expected = (f"{one['interface']} in {one['quantization']}" for one in (entry, device))
    if found != expected:
        raise UpdateError(
            f"the update's head for {device['component']} takes {found}; expected {expected}"
        )
    return {UPDATE: incoming / UPDATE, head_file(device["sha256"]): incoming / _HEAD}


def _check_number(number, state, repairs):
    """Checks a new number; `repairs` is the number of a damaged head, or None."""
    highest = state["highest"]
    farthest = max(FARTHEST_NUMBER, highest * 11 // 10)
    if number <= highest and number != repairs:
        hint = "; roll back to take lower ones" if highest > HIGHEST_NUMBER else ""
        raise UpdateError(
            f"the update has number {number}; this device has had {highest}: "
            f"expected a higher one{hint}"
        )
    if number > farthest:
        raise UpdateError(
            f"the update has number {number}; expected {farthest} at most, so that higher ones "
            "remain"
        )


def _extractor_entry(update, device):
    for entry in update["extractors"]:
        if entry["sha256"] == device["sha256"]:
            return entry
    known = ", ".join(entry["component"] for entry in update["extractors"][:5])
    raise UpdateError(
        f"the update has no head for the installed {device['component']} in "
        f"{device['quantization']}; "
        f"it has them for {known}"
    )


def _first_that_works(folder, device, wrong, use, broken=None, record=False):
    """Uses the current head or, if that fails, the newest one that works, and warns.

    Args:
        wrong: Words for known faults, or "".
        use: Function of a head's `update.json` and bytes; raises `_HeadError`.
        broken: Number of a head that does not work, or None.
        record: Whether the other head stays in use.

    Returns:
        The head's `update.json` and the value of `use`; or None if there is no head yet.
    """
    # Another process may replace the head at any time.
    for _ in range(10):
        state, lost = _state(folder, device)
        told = [text for text in (*wrong, lost, _wrong_with_heads(folder)) if text]
        for number in dict.fromkeys([state["current"], state["previous"], *_numbers(folder)]):
            if number in (0, broken):
                continue
            try:
                update, head = _installed_head(folder, device, number)
                used = use(update, head)
            except _HeadError as error:
                if _state(folder, device)[0] != state:
                    break
                told.append(str(error))
            else:
                new = _with_current(state, number)
                if record and (lost or new != state):
                    told.append(
                        _recorded(folder, functools.partial(_set_state, folder, new, state))
                    )
                if told:
                    _log.warning("; ".join([*filter(None, told), f"head {number} is used"]))
                return update, used
        else:
            if told:
                raise UpdateError("; ".join(told))
            return None
    raise UpdateError("the head in use keeps changing; try again")


def _with_current(state, number):
    """Returns the state with another head in use and the same highest number."""
    highest = max(state["highest"], number)
    others = (highest, state["previous"], state["current"])
    previous = next((other for other in others if other != number), 0)
    return {**state, "current": number, "previous": previous, "highest": highest}


def _installed_head(folder, device, number):
    place = folder / _HEADS / str(number)
    if os.path.islink(folder / _HEADS) or os.path.islink(place):
        raise _HeadError(f"head {number} is behind a link; expected a folder of the device's own")
    return _read_head(place, device, f"head {number} is damaged")


def _read_head(place, device, damaged):
    """Returns a head's `update.json` and its bytes, both checked."""
    try:
        content = _content(place / UPDATE)
        update, digest = read_update(content), hashlib.sha256(content).hexdigest()
        if _kept(place).get("update", digest) != digest:
            raise UpdateError(f"{UPDATE} is not what it was")
        _extractor_entry(update, device)
        record = update["files"][head_file(device["sha256"])]
        head = _content(place / _HEAD, record["size"])
        if hashlib.sha256(head).hexdigest() != record["sha256"]:
            raise UpdateError(f"{_HEAD} is not what {UPDATE} says")
    except UpdateError as error:
        raise _HeadError(f"{damaged}: {error}") from None
    return update, head


def _installed(place, device):
    """Returns digests that later reveal damage to `update.json` or `device.json`."""
    about = {
        "schema_version": SCHEMA,
        "update": hashlib.sha256(_content(place / UPDATE)).hexdigest(),
        "device": device,
    }
    return {**about, "sha256": _digest(about)}


def _kept(place):
    """Returns the content of a head's `installed.json`; {} if it is missing or damaged."""
    try:
        found = _parsed(_content(place / _INSTALLED), _INSTALLED, _CHECK_INSTALLED)
    except UpdateError:
        return {}
    digest = found.pop("sha256")
    return found if _digest(found) == digest else {}


def _digest(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _numbers(folder):
    """Returns the numbers of all heads, complete or not, in descending order."""
    heads, found = folder / _HEADS, []
    with contextlib.suppress(OSError):  # no readable heads
        found = os.listdir(heads) if _is_folder(heads) else []
    named = (name for name in found if re.fullmatch("[1-9][0-9]{0,15}", name))
    return sorted((int(name) for name in named if _is_folder(heads / name)), reverse=True)


def _is_folder(path):
    return os.path.isdir(path) and not os.path.islink(path)


def _wrong_with_heads(folder):
    heads = folder / _HEADS
    if os.path.islink(heads):
        return f"{_HEADS} is a link; remove it: expected a folder of the device's own"
    return f"{_HEADS} is no folder" if os.path.lexists(heads) and not _is_folder(heads) else ""


def _state(folder, device):
    """Returns the state, rebuilt from the heads if it is lost, and words for the loss or ""."""
    lost = ""
    try:
        state = _read_state(folder)
    except UpdateError as error:
        state, lost = None, str(error)
    if state is None:
        whole = [n for n in _numbers(folder) if _passes(_installed_head, folder, device, n)]
        current, previous = [*whole, 0, 0][:2]
        state = {"schema_version": SCHEMA, "current": current, "previous": previous}
        state["highest"] = current
        lost = lost or (f"{_STATE} is missing" if current else "")
    return state, lost


def _read_state(folder):
    """Returns the content of `state.json`, or None if there is none."""
    if not os.path.lexists(folder / _STATE):
        return None
    return _parsed(_content(folder / _STATE), _STATE, _check_state)


def _is_current(folder, number):
    try:
        return (_read_state(folder) or {}).get("current") == number
    except UpdateError:
        return False


def _set_state(folder, state, instead_of=None):
    """Writes `state.json`, which switches heads."""
    if instead_of is None or _state(folder, read_device(folder))[0] == instead_of:
        _replace(folder / _STATE, {"schema_version": SCHEMA, **state})


def _recorded(folder, record):
    """Calls a repair if no other process holds the lock; returns words for its failure or ""."""
    try:
        with _locked(folder, wait=False):
            record()
    except (OSError, UpdateError) as error:
        return f"this could not be recorded ({_reason(error)})"
    return ""


def _remove_head(place):
    """Removes a folder that holds only files of an apply; leaves any other folder alone."""
    with contextlib.suppress(OSError):  # a later apply removes it
        if _is_folder(place) and set(os.listdir(place)) <= _OF_A_HEAD:
            for name in os.listdir(place):
                os.unlink(place / name)
            os.rmdir(place)


def _make_room(place):
    """Frees a path in the device's folder: removes an apply's files, renames anything else."""
    _remove_head(place)
    if os.path.islink(place):
        raise UpdateError(f"{place.name} is a link; remove it: it is in the way")
    if os.path.lexists(place):
        names = (f"{place.name}.aside-{count}" for count in itertools.count(1))
        aside = next(path for path in map(place.with_name, names) if not os.path.lexists(path))
        os.rename(place, aside)
        _log.warning(f"{place.name} was in the way; it is {aside.name} now")


@contextlib.contextmanager
def _locked(folder, wait=True):
    """Holds the folder's lock; the system releases it if the process dies."""
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _failures(what):
    """Turns errors of the file system into an `UpdateError` of one line."""
    try:
        yield
    except (OSError, MemoryError) as error:
        raise UpdateError(f"{what}: {_reason(error)}") from None


@contextlib.contextmanager
def _opened(path, expected, links=True):
    """Opens a plain file for reading; refuses a pipe or a device without waiting for it."""
    flags = os.O_RDONLY
    for flag in ("O_NONBLOCK", "O_BINARY", "O_CLOEXEC", "" if links else "O_NOFOLLOW"):
        flags |= getattr(os, flag, 0)
    named = _quoted(str(path)) if links else path.name
    if not links and os.path.islink(path):
        raise UpdateError(f"{named} is a link; expected {expected}")
    handle = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise UpdateError(f"{named} is no file; expected {expected}")
    with open(handle, "rb") as file:
        yield file


def _content(path, most=LARGEST_UPDATE):
    with (
        _failures(f"{path.name} cannot be read"),
        _opened(path, "a plain file", links=False) as file,
    ):
        content = file.read(most + 1)
    if len(content) > most:
        raise UpdateError(f"{path.name} has more than {most} bytes")
    return content


def _write(path, value):
    with open(path, "xb") as file:
        file.write(json.dumps(value, indent=2).encode() + b"\n")
        _sync_file(file)


def _replace(path, value):
    """Writes a JSON file, whole or not at all."""
    temporary = path.with_name(f"{path.name}.new")
    for place in (temporary, path):
        if _is_folder(place):
            _make_room(place)
    temporary.unlink(missing_ok=True)
    try:
        _write(temporary, value)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_file(file):
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder):
    if hasattr(os, "O_DIRECTORY"):  # not on Windows
        opened = os.open(folder, os.O_DIRECTORY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


# The worker process, which runs extractor and head. It reads the head, then images, from its
# standard input; each answer is a sign, a length and that many bytes.

_ANSWER = struct.Struct("<cL")


class _Killed(_HeadError):
    """The process was killed or stopped, which may not be the head's fault."""


class _Worker:
    """A process that runs the extractor and a head under limits; its faults are `_HeadError`s."""

    def __init__(self, folder, device, head, classes, seconds):
        self._seconds, self._size = seconds, 4 * classes
        # The process imports packages from the same folders as this one, and from no others.
        places = [os.path.abspath(place) for place in sys.path]
        extractor = os.path.abspath(folder / _EXTRACTOR)
        given = (extractor, device["image_shape"], classes, len(head), seconds, places)
        program = os.path.abspath(__file__)
        command = [sys.executable, "-I", "-B", program, "work", json.dumps(given)]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C must not reach it
            )
        except OSError as error:
            raise UpdateError(f"no process starts: {_reason(error)}{_memory_hint()}") from None
        self.close = weakref.finalize(self, _end, self._process, os.getpid())
        self._said, self._allowed = [b""], _START_SECONDS
        self._listener = threading.Thread(
            target=_listen, args=(self._process.stderr, self._said), daemon=True
        )
        try:
            self._listener.start()
            self._ask(b"", _START_SECONDS, UpdateError)
            self._ask(head, _clock(seconds), _HeadError)
        except BaseException:
            self.close()
            raise

    def has_ended(self):
        return self._process.poll() is not None

    def run(self, image):
        """Returns the probability of each class as bytes of float32."""
        took = float(self._ask(image, _START_SECONDS, _HeadError))
        self._allowed = _allowed(self._seconds, took)
        answer = self._ask(b"", _clock(self._allowed), _HeadError)
        if len(answer) != self._size:
            raise _HeadError(f"its process answers {len(answer)} bytes; expected {self._size}")
        return answer

    def _ask(self, content, seconds, kind):
        """Sends bytes to the process; returns its answer, or raises an error of class `kind`."""
        late, done = threading.Event(), threading.Event()

        def end_when_late():
            # Waits in parts, so that time in which the device is suspended does not count.
            for part in itertools.chain(itertools.repeat(1.0, int(seconds)), [seconds % 1]):
                if done.wait(part):
                    return
            late.set()
            self._process.kill()

        threading.Thread(target=end_when_late, daemon=True).start()
        try:
            with contextlib.suppress(OSError):  # the process ended; its answer says why
                self._process.stdin.write(content)
                self._process.stdin.flush()
            start = self._process.stdout.read(_ANSWER.size)
            sign, size = _ANSWER.unpack(start) if len(start) == _ANSWER.size else (b"", 0)
            if size <= max(self._size, _LONGEST_TOLD):
                answer = self._process.stdout.read(size)
                if sign == b"=" and len(answer) == size:
                    return answer
                if sign == b"!":
                    told = _reason(RuntimeError(answer.decode("utf-8", "replace")))
                    short = kind is UpdateError or re.search("memory|alloc", told, re.IGNORECASE)
                    raise kind(told + (_memory_hint() if short else ""))
        finally:
            done.set()
        self._process.kill()
        raise self._why_it_ended(late.is_set(), seconds, kind)

    def _why_it_ended(self, late, seconds, kind):
        code = self._process.wait()
        self._listener.join(1)
        if late and kind is _HeadError:
            # Processor time has its own limit, if the system supports it.
            late_kind = kind if resource is None else _Killed
            return late_kind(f"the head took more than {seconds:g} s")
        if code == -getattr(signal, "SIGXCPU", 0):
            return kind(f"the head took more than {self._allowed:g} s of work for one image")
        lines = self._said[0].decode("utf-8", "replace").strip().splitlines()
        last = f": {_reason(RuntimeError(lines[-1]))}" if lines else ""
        what = "the head does not run" if kind is _HeadError else "the interpreter does not run"
        told = f"{what}: its process ended with {code}{last}{_memory_hint()}"
        return _Killed(told) if kind is _HeadError and code == -9 else kind(told)


def _end(process, owner):
    if os.getpid() != owner:  # after a fork, the worker belongs to the parent
        return
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # flushing may fail
            stream.close()


def _listen(stream, said):
    """Keeps the last bytes of a process's error output."""
    with stream:
        for part in iter(lambda: stream.read1(_CHUNK), b""):
            said[0] = (said[0] + part)[-_LONGEST_TOLD:]


def _memory_hint():
    if resource is None:
        return ""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY or limit > 2**32:
        return ""
    return f" (a process may have {limit >> 20} MiB of address space here: allow more)"


def _allowed(seconds, extractor_took):
    """Returns a head's limit of processor time for an image, in seconds."""
    return max(seconds, _TIMES_EXTRACTOR * extractor_took)


def _clock(processor_seconds):
    """Returns the limit of wall-clock time for a limit of processor time."""
    return _LEAST_CLOCK + _TIMES_PROCESSOR * processor_seconds


def _try(folder, device, place, seconds):
    """Runs a new head on unpredictable images."""
    # Reads the head as it will be read in use.
    update, head = _read_head(place, device, "what was written of the update cannot be read")
    worker = _Worker(folder, device, head, len(update["class_names"]), seconds / 2)
    try:
        for image in _trial_images(math.prod(device["image_shape"])):
            worker.run(image)
    finally:
        worker.close()


def _trial_images(size):
    """Yields the darkest image, the lightest, and random ones of any brightness and contrast."""
    yield bytes(size)
    yield b"\xff" * size
    yield os.urandom(size)
    for _ in range(4):
        dark, light, edge = sorted(os.urandom(2)) + [int.from_bytes(os.urandom(8), "big") % size]
        grey = bytes(dark + value * (light - dark) // 255 for value in range(256))
        yield os.urandom(size).translate(grey)
        yield bytes([dark]) * edge + bytes([light]) * (size - edge)


def _work(extractor, shape, classes, head_size, seconds, places):
    """Runs an extractor and a head on images; the main function of the worker process."""
    sys.path[:] = places
    taken, given = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # printed text must not mix with answers

    def answer(content, sign=b"="):
        given.write(_ANSWER.pack(sign, len(content)) + content)
        given.flush()

    try:
        with _running("the extractor does not run"):
            first = _loaded(extractor)
        _limit_all_but_time(head_size)
        answer(b"")
        head = taken.read(head_size)
        _limit_time(_START_SECONDS)
        with _running("the head does not run"):
            second = _loaded(head)
        _check_fit(first, second)
        answer(b"")
        while image := taken.read(math.prod(shape)):
            _limit_time(_START_SECONDS)
            start = time.process_time()
            with _running("the extractor does not run"):
                features = _run(first, _as_array(image, shape))
            took = time.process_time() - start
            answer(str(took).encode())
            _limit_time(_allowed(seconds, took))
            with _running("the head does not run on the extractor"):
                logits = _run(second, features)
            answer(_probabilities(logits, classes))
    except UpdateError as error:
        answer(str(error).encode()[:_LONGEST_TOLD], b"!")


def _limit_all_but_time(head_size):
    if resource is None:
        return
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(limit, (0, 0))
    pages = Path("/proc/self/statm")
    if pages.exists():
        used = int(pages.read_text().split()[0]) * resource.getpagesize()
        _limit(resource.RLIMIT_AS, used + _HEAD_MEMORY + 2 * head_size)


def _limit_time(seconds):
    """Limits processor time from now on; the system ends the process even if its parent is gone."""
    if resource is not None:
        _limit(resource.RLIMIT_CPU, math.ceil(time.process_time() + seconds))


def _limit(what, wanted):
    """Sets a limit, at most the system's hard limit."""
    hard = resource.getrlimit(what)[1]
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(what, (allowed, hard))


def _interpreter():
    """Returns the class that runs LiteRT files, or names the missing package."""
    try:
        import numpy  # noqa: F401
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        try:
            from tflite_runtime.interpreter import Interpreter
        except ImportError:
            raise UpdateError(
                f"a package is missing ({_reason(error)}); pip install numpy ai-edge-litert"
            ) from None
    return Interpreter


@contextlib.contextmanager
def _running(what):
    """Turns errors of the interpreter into an `UpdateError` of one line."""
    try:
        yield
    except (RuntimeError, ValueError, MemoryError) as error:
        if isinstance(error, UpdateError):
            raise
        raise UpdateError(f"{what}: {_reason(error)}") from None


def _loaded(file):
    """Returns an interpreter of a path or of bytes, with its input and its output."""
    source = {"model_content": file} if isinstance(file, bytes) else {"model_path": str(file)}
    interpreter = _interpreter()(**source, num_threads=1)
    interpreter.allocate_tensors()
    ends = interpreter.get_input_details(), interpreter.get_output_details()
    if [len(end) for end in ends] != [1, 1]:
        raise UpdateError("a file has several inputs or outputs; expected one each")
    return interpreter, ends[0][0], ends[1][0]


def _check_fit(extractor, head):
    emitted, taken = extractor[2]["shape"].tolist(), head[1]["shape"].tolist()
    if emitted != taken:
        raise UpdateError(f"the head takes {taken}, but the extractor emits {emitted}")


def _as_array(image, shape):
    import numpy as np

    return np.frombuffer(image, "uint8").reshape(1, *shape)


def _run(part, values):
    interpreter, inputs, outputs = part
    interpreter.set_tensor(inputs["index"], _quantized(values, inputs))
    interpreter.invoke()
    return interpreter.get_tensor(outputs["index"])


def _quantized(values, inputs):
    """Returns values in the type of an interpreter's input."""
    import numpy as np

    scale, zero = inputs["quantization"]
    if not scale:
        return values.astype(inputs["dtype"])
    kind = np.iinfo(inputs["dtype"])
    return np.clip(np.rint(values / scale + zero), kind.min, kind.max).astype(inputs["dtype"])


def _probabilities(logits, classes):
    """Returns the softmax of logits as bytes of float32."""
    import numpy as np

    logits = logits[0]
    if logits.shape != (classes,):
        raise UpdateError(
            f"the head answers {logits.shape}; expected {(classes,)}, one for each class"
        )
    if not np.isfinite(logits).all():
        raise UpdateError("the head answers numbers that are not finite")
    with np.errstate(over="ignore"):  # a logit that far below the largest has probability 0
        powers = np.exp(logits.astype("float32") - np.float32(logits.max()))
    return (powers / powers.sum()).astype("float32").tobytes()


# Header that NumPy writes for an array of numbers.
_NPY = re.compile(
    rb"\{'descr': '([^']{1,40})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:[0-9]{1,18}, ?)*(?:[0-9]{1,18})?)\),? *\} *\n?"
)


def _images(path, shape):
    """Yields the bytes of each image in a .npy file; holds one image at a time."""
    named = _quoted(str(path))
    with _failures(f"{named} cannot be read"), _opened(path, "a .npy file of images") as file:
        start = file.read(8)
        form = {b"\1\0": "<H", b"\2\0": "<L", b"\3\0": "<L"}.get(start.removeprefix(b"\x93NUMPY"))
        length = file.read(struct.calcsize(form)) if form else b""
        most = struct.unpack(form, length)[0] if form and len(length) >= 2 else 0
        header = _NPY.fullmatch(file.read(min(most, _CHUNK)))
        if header is None:
            raise UpdateError(f"{named} holds no images; expected what numpy.save writes of them")
        found = tuple(int(number) for number in header[3].split(b",") if number.strip())
        if len(found) not in (3, 4):
            raise UpdateError(
                f"{named} holds an array of shape {found}; expected one image, "
                "(height, width, channels), or several"
            )
        if header[1] != b"|u1" or found[-3:] != shape:
            kind = _quoted(header[1].decode("ascii", "replace"))
            raise UpdateError(
                f"{named} holds {kind} {found}; expected '|u1' (uint8) of {shape} each"
            )
        count, size, first = math.prod(found[:-3]), math.prod(shape), file.tell()
        if os.fstat(file.fileno()).st_size < first + count * size:
            raise UpdateError(f"{named} is cut off; expected {count} images of {size} bytes")
        if header[2] == b"True":
            yield from _in_columns(path, first, found)
            return
        for _ in range(count):
            image = file.read(size)
            if len(image) < size:
                raise UpdateError(f"{named} was cut off while it was read")
            yield image


def _in_columns(path, first, shape):
    """Yields the images of a file in Fortran order, which NumPy writes for some arrays."""
    import numpy as np

    found = np.memmap(path, "uint8", "r", first, shape, "F")
    yield from (image.tobytes() for image in (found if found.ndim == 4 else found[None]))


def _options(arguments):
    """Returns the positional arguments, and the options by name."""
    plain, options = [], {}
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name == "--seconds":
            try:
                options["seconds"] = float(value)
            except ValueError:
                options["seconds"] = math.nan
            if not 0 < options["seconds"] <= 86_400:
                raise UpdateError(f"--seconds is {_quoted(value)}; expected a number up to 86400")
        else:
            plain.append(argument)
    return plain, options


def main(arguments: Sequence[str]) -> int:
    """Runs one command; returns the exit code."""
    commands = {"apply": 2, "status": 1, "rollback": 1, "classify": 2, "work": 1}
    try:
        arguments, options = _options(arguments)
        if not arguments or len(arguments) != 1 + commands.get(arguments[0], -1):
            print(__doc__, file=sys.stderr)
            return 2
        command, *rest = arguments
        if command == "apply":
            start = time.perf_counter()
            update = apply(*rest, **options)
            entry = _extractor_entry(update, read_device(rest[0]))
            print(
                f"{update['name']} {update['number']} is in use: {len(update['class_names'])} "
                f"classes, {entry['accuracy']:.1%} of {entry['images']} test images on this "
                f"extractor ({time.perf_counter() - start:.1f} s)"
            )
        elif command == "rollback":
            print(f"{rollback(*rest)} is in use")
        elif command == "status":
            device, update = status(*rest)
            head = f"{update['name']} {update['number']}" if update else "no head yet"
            print(f"{device['component']} in {device['quantization']}: {head}")
        elif command == "classify":
            _classify(*rest, **options)
        else:
            _work(*json.loads(rest[0]))
        sys.stdout.flush()
    except UpdateError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (OSError, MemoryError, RuntimeError) as error:  # the system lacks some resource
        print(f"error: {_reason(error)}{_memory_hint()}", file=sys.stderr)
        return 2
    return 0


def _classify(folder, path, **options):
    classifier = None
    for image in _images(path, tuple(read_device(folder)["image_shape"])):
        classifier = classifier or Classifier(folder, **options)
        name, score = classifier._likeliest(image)
        print(f"{_visible(name)} {score:.3f}")


if __name__ == "__main__":
    logging.basicConfig(format="warning: %(message)s")
    sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))
