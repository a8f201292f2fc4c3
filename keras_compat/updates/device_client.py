"""Takes head updates on a device and classifies with them; one file to copy to the device.

    python device_client.py apply FOLDER ARCHIVE
    python device_client.py status FOLDER
    python device_client.py rollback FOLDER
    python device_client.py classify FOLDER IMAGES.npy

It needs Python's standard library, NumPy and ai-edge-litert (or tflite-runtime), and nothing else
of this package. FOLDER is what `python -m apps.components install` writes: `extractor.tflite`,
`extractor.json` and `device.json`. The client adds `heads/NUMBER/` and `state.json`, which says
which head is in use.

What is refused ends with exit code 2 and one line; the head that was in use stays in use. So it
does when the device loses power at any moment: one renaming, of `state.json`, is what swaps heads.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

try:
    import fcntl
    import resource
except ImportError:  # Windows: without limits of memory, and one apply at a time is up to the user
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

_EXTRACTOR, _DEVICE, _STATE, _HEAD = "extractor.tflite", "device.json", "state.json", "head.tflite"
_INCOMING = "incoming"
_CHUNK = 2**16
_TRIAL_MEMORY = 2**29
_TRIAL_SECONDS = 120


class UpdateError(ValueError):
    """What is wrong, in one line."""


# The archive. It is a zip file that any program reads, but of the many forms that a zip file can
# have one alone is taken: members stored one after another, without comments, extra fields, dates
# or gaps. So the content tells every byte of it, nothing is unpacked to more than there is, and no
# name of it becomes a path.

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s4B4H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_VERSION, _UNIX, _DATE, _MODE = 20, 3, 33, 0o100644 << 16
_SIZE_AT, _CRC_AT = 22, 14


def head_file(extractor_sha256: str) -> str:
    """Returns the name of the archive's member that an extractor takes.

    Example:

    >>> head_file("0123456789abcdef" * 4)
    'head-0123456789abcdef.tflite'
    """
    return f"head-{extractor_sha256[:16]}.tflite"


def read_archive(
    path: str | Path,
    choose: Callable[[dict[str, Any]], Mapping[str, Path]] = lambda update: {},
) -> dict[str, Any]:
    """Checks every byte of an update; returns what `update.json` says.

    Memory stays within some megabytes, whatever the archive claims.

    Args:
        path: of the archive.
        choose: is called with what `update.json` says before anything else is read; returns the
            files to write, by the name of the member, `update.json` too. What it raises ends the
            reading.

    Raises:
        UpdateError: if it is not a whole update.

    Example:

    >>> read_archive("no/such.zip")
    Traceback (most recent call last):
        ...
    keras_compat.updates.device_client.UpdateError: 'no/such.zip' cannot be read: No such file ...
    """
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise UpdateError(f"{_shown(str(path))} is no file; expected an update's archive")
        with open(path, "rb") as file:
            return _Archive(file, found.st_size).read(choose)
    except (OSError, ValueError) as error:
        if isinstance(error, UpdateError):
            raise
        raise UpdateError(f"{_shown(str(path))} cannot be read: {_told(error)}") from None


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
            with open(targets[UPDATE], "xb") as target:
                target.write(content)
                _sync_file(target)
        for name, record in sorted(update["files"].items()):
            with contextlib.ExitStack() as opened:
                keep = None
                if name in targets:
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
        """Before anything is read that may be large."""
        named = {UPDATE: size, **{name: record["size"] for name, record in files.items()}}
        whole = _END.size + sum(
            _LOCAL.size + _CENTRAL.size + 2 * len(name) + size for name, size in named.items()
        )
        if whole != self._size:
            raise UpdateError(
                f"the archive has {self._size} bytes; {UPDATE} says {whole}: fetch it again"
            )

    def _member(self, name, size, keep):
        """Reads one member in parts; returns its SHA-256."""
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


# What update.json and device.json may say. Each check takes a value and where it stands.


def _object(**fields):
    def check(value, where):
        if type(value) is not dict:
            raise UpdateError(f"{where} is {_shown(value)}; expected {', '.join(fields)}")
        if set(value) != set(fields):
            raise UpdateError(f"{where} has other fields than {', '.join(fields)}")
        for name, check_field in fields.items():
            check_field(value[name], f"{where}: {name}")

    return check


def _whole(least, most):
    def check(value, where):
        if type(value) is not int or not least <= value <= most:
            raise UpdateError(f"{where} is {_shown(value)}; expected {least} to {most}")

    return check


def _fraction(value, where):
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise UpdateError(f"{where} is {_shown(value)}; expected a part of one")


def _text(pattern, longest=200):
    form = re.compile(pattern)

    def check(value, where):
        if type(value) is not str or len(value) > longest or not form.fullmatch(value):
            raise UpdateError(f"{where} is {_shown(value)}; expected a text as {pattern}")

    return check


def _list(item, least, most):
    def check(value, where):
        if type(value) is not list or not least <= len(value) <= most:
            raise UpdateError(f"{where} is {_shown(value)}; expected a list of {least} to {most}")
        for one in value:
            item(one, where)

    return check


def _shape(value, where):
    _list(_whole(1, 65_536), 3, 3)(value, where)


def _files(value, where):
    if type(value) is not dict:
        raise UpdateError(f"{where} is {_shown(value)}; expected files by name")
    for name, record in value.items():
        _object(size=_whole(1, LARGEST_FILE), sha256=_sha256)(record, f"{where}: {_shown(name)}")


# No control characters, no line breaks of any kind, nothing that turns the direction of a text.
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
_CHECK_STATE = _object(
    schema_version=_whole(SCHEMA, SCHEMA),
    current=_whole(*_NUMBERS),
    previous=_whole(0, _NUMBERS[1]),
    highest=_whole(*_NUMBERS),
)


def read_update(content: bytes) -> dict[str, Any]:
    """Reads the content of an `update.json`, from whomever it comes; returns what it says.

    Raises:
        UpdateError: if it is not of the schema.

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
    """Returns what a device's `device.json` says.

    Raises:
        UpdateError: if there is none, or it is not one.

    Example:

    >>> read_device("phone")["component"]  # doctest: +SKIP
    'phone@1'
    """
    return _parsed(_content(Path(folder) / _DEVICE), _DEVICE, _CHECK_DEVICE)


def check_extractor(folder: str | Path, device: dict[str, Any]) -> None:
    """Raises `UpdateError` if a device's extractor is not there, or not what `device.json` says.

    Example:

    >>> check_extractor("phone", read_device("phone"))  # doctest: +SKIP
    """
    digest = hashlib.sha256()
    with _failures(f"{_EXTRACTOR} cannot be read"), open(Path(folder) / _EXTRACTOR, "rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            digest.update(chunk)
    if digest.hexdigest() != device["sha256"]:
        raise UpdateError(f"{_EXTRACTOR} is not what {_DEVICE} says; install it again")


def _parsed(content, what, check):
    """Returns the value of a JSON text that is all the check wants, and has no key twice."""

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
    except (ValueError, RecursionError) as error:
        raise UpdateError(f"{what} is no JSON of ours: {_told(error)}") from None
    version = value.get("schema_version") if type(value) is dict else None
    if type(version) is int and version > SCHEMA:
        raise UpdateError(
            f"{what} is of schema {_shown(version)}; this client reads {SCHEMA}: take a later one"
        )
    check(value, what)
    return value


def _shown(value):
    """A value in at most some dozen signs, all of them printable."""
    text = ascii(value if not isinstance(value, (dict, list)) else type(value).__name__)
    return text if len(text) <= 80 else f"{text[:80]}..."


def _told(error):
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return ascii(" ".join(text.split())[:200])[1:-1]


# What is done on a device.


def apply(folder: str | Path, archive: str | Path) -> dict[str, Any]:
    """Checks an update and puts its head in the place of the one in use.

    Args:
        folder: of the device.
        archive: the update's file.

    Returns:
        What `update.json` says.

    Raises:
        UpdateError: if the update is not whole, not for this device, not newer than any that it
            has had, its head does not run on its extractor, or a package is missing. The head in
            use stays in use.

    Example:

    >>> apply("phone", "digits-7.zip")["number"]  # doctest: +SKIP
    7
    """
    folder = Path(folder)
    read_device(folder)
    _interpreter()
    with _failures(f"{_shown(str(archive))} cannot be applied"), _locked(folder):
        device, state = read_device(folder), _state(folder)
        check_extractor(folder, device)
        _clean(folder, state)
        incoming = folder / "heads" / _INCOMING
        incoming.mkdir(parents=True)
        try:
            update = read_archive(archive, lambda found: _wanted(found, device, state, incoming))
            # As it will be read when it is in use.
            _read_head(incoming, device, "what was written of the update cannot be read")
            _try_apart(folder / _EXTRACTOR, incoming / _HEAD, device, len(update["class_names"]))
            _sync_folder(incoming)
            number = update["number"]
            os.rename(incoming, folder / "heads" / str(number))
            _sync_folder(folder / "heads")
            new = {"current": number, "previous": state["current"], "highest": number}
            _set_state(folder, new)
        finally:
            with contextlib.suppress(OSError, UpdateError):
                _clean(folder, _state(folder))
    return update


def rollback(folder: str | Path) -> int:
    """Puts the head that was in use before back into use; again, and it is undone.

    Returns:
        The number of the update that is in use now.

    Raises:
        UpdateError: if there is no earlier head, or it is damaged.

    Example:

    >>> rollback("phone")  # doctest: +SKIP
    6
    """
    folder = Path(folder)
    read_device(folder)
    with _failures("nothing was rolled back"), _locked(folder):
        state = _state(folder)
        if not state["previous"]:
            raise UpdateError("there is no earlier head to go back to")
        _installed_head(folder, read_device(folder), state["previous"])
        new = {**state, "current": state["previous"], "previous": state["current"]}
        _set_state(folder, new)
    return new["current"]


def status(folder: str | Path) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Returns what is installed: the device, and what is said of the head in use, or None.

    Raises:
        UpdateError: if something that is installed is damaged.

    Example:

    >>> device, update = status("phone")  # doctest: +SKIP
    """
    folder = Path(folder)
    device = read_device(folder)
    check_extractor(folder, device)
    return device, _in_use(folder, device)[0]


class Classifier:
    """The head in use on the installed extractor, as it was when this was made.

    Args:
        folder: of the device.

    Raises:
        UpdateError: if no head is in use yet, a package is missing, or something is damaged: the
            extractor too is compared with what `device.json` says.

    Example:

    >>> Classifier("phone").classify(image)  # doctest: +SKIP
    ('cat', 0.98)
    """

    def __init__(self, folder: str | Path):
        folder = Path(folder)
        self.device = read_device(folder)
        _interpreter()
        check_extractor(folder, self.device)
        self.update, head = _in_use(folder, self.device)
        if head is None:
            raise UpdateError("the device has no head yet; apply an update")
        with _running("what is installed does not run"):
            self._run = _network(folder / _EXTRACTOR, head)

    def scores(self, image: np.ndarray) -> np.ndarray:
        """Returns the probability of each class: float32 `[classes]`.

        Args:
            image: uint8 `[height, width, channels]`.
        """
        import numpy as np

        shape = tuple(self.device["image_shape"])
        if image.shape != shape or image.dtype != np.uint8:
            raise UpdateError(
                f"an image is {image.dtype} {image.shape}; expected uint8 {shape} as the extractor"
            )
        logits = self._run(image)
        powers = np.exp(logits - logits.max())
        return powers / powers.sum()

    def classify(self, image: np.ndarray) -> tuple[str, float]:
        """Returns the name of the likeliest class, and its probability."""
        scores = self.scores(image)
        best = int(scores.argmax())
        return self.update["class_names"][best], float(scores[best])


def _wanted(update, device, state, incoming):
    """Raises `UpdateError` if an update is not for this device; returns the file that is."""
    if update["name"] != device["updates"]:
        raise UpdateError(
            f"the update is of {update['name']}; this device takes those of {device['updates']}"
        )
    if update["number"] <= state["highest"]:
        raise UpdateError(
            f"the update has number {update['number']}; this device has had {state['highest']}: "
            "expected a higher one"
        )
    families = set(device["families"])
    if families and not families & set(update["families"]):
        raise UpdateError(
            f"the update's head is not of the family of the extractor {device['component']}"
        )
    entry = _entry(update, device)
    found, expected = (f"{one['interface']} in {one['quantization']}" for one in (entry, device))
    if found != expected:
        raise UpdateError(
            f"the update's head for {device['component']} takes {found}; expected {expected}"
        )
    return {UPDATE: incoming / UPDATE, head_file(device["sha256"]): incoming / _HEAD}


def _entry(update, device):
    for entry in update["extractors"]:
        if entry["sha256"] == device["sha256"]:
            return entry
    known = ", ".join(entry["component"] for entry in update["extractors"][:5])
    raise UpdateError(
        f"the update has no head for the installed {device['component']} in "
        f"{device['quantization']}; "
        f"it has them for {known}"
    )


def _in_use(folder, device):
    """Returns what is said of the head in use, and its bytes; or None twice."""
    # What is in use may be replaced, and removed, between two lines of this.
    for _ in range(10):
        number = _state(folder)["current"]
        if not number:
            return None, None
        try:
            return _installed_head(folder, device, number)
        except UpdateError:
            if _state(folder)["current"] == number:
                raise
    raise UpdateError("the head in use changes all the time; try again")


def _installed_head(folder, device, number):
    damaged = f"head {number} is damaged; roll back, or apply a newer one"
    return _read_head(folder / "heads" / str(number), device, damaged)


def _read_head(place, device, damaged):
    """Returns what is said of a head, and its bytes, which are checked."""
    try:
        with _failures(_HEAD):
            update, head = read_update(_content(place / UPDATE)), (place / _HEAD).read_bytes()
    except UpdateError as error:
        raise UpdateError(f"{damaged}: {error}") from None
    _entry(update, device)
    record = update["files"][head_file(device["sha256"])]
    if hashlib.sha256(head).hexdigest() != record["sha256"]:
        raise UpdateError(f"{damaged}: {_HEAD} is not what {UPDATE} says")
    return update, head


def _state(folder):
    if not (folder / _STATE).exists():
        return {"schema_version": SCHEMA, "current": 0, "previous": 0, "highest": 0}
    try:
        return _parsed(_content(folder / _STATE), _STATE, _CHECK_STATE)
    except UpdateError as error:
        raise UpdateError(
            f"{error}; to start anew, remove {_STATE} and apply the newest update"
        ) from None


def _set_state(folder, state):
    """From here on another head is in use."""
    temporary = folder / f"{_STATE}.new"
    temporary.unlink(missing_ok=True)
    _write(temporary, {**state, "schema_version": SCHEMA})
    os.replace(temporary, folder / _STATE)
    _sync_folder(folder)


def _clean(folder, state):
    """Removes what an apply left that ended early, and heads before the last two; nothing else."""
    kept = {str(state["current"]), str(state["previous"])}
    for place in (folder / "heads").iterdir() if (folder / "heads").exists() else ():
        if place.name in kept or not re.fullmatch(f"[0-9]+|{_INCOMING}", place.name):
            continue
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()


@contextlib.contextmanager
def _locked(folder):
    """One at a time; the system takes the lock from a process that dies."""
    with open(folder / ".lock", "ab") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _failures(what):
    """What the file system refuses is told in one line."""
    try:
        yield
    except OSError as error:
        raise UpdateError(f"{what}: {_told(error)}") from None


def _content(path):
    with _failures(f"{path.name} cannot be read"), open(path, "rb") as file:
        content = file.read(LARGEST_UPDATE + 1)
    if len(content) > LARGEST_UPDATE:
        raise UpdateError(f"{path.name} has more than {LARGEST_UPDATE} bytes")
    return content


def _write(path, value):
    with open(path, "xb") as file:
        file.write(json.dumps(value, indent=2).encode() + b"\n")
        _sync_file(file)


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


# Running the two files.


def _network(extractor, head):
    """Returns a function from an image, uint8 `[height, width, channels]`, to its logits."""
    parts = [_loaded(extractor), _loaded(head)]
    emitted, taken = parts[0][2]["shape"].tolist(), parts[1][1]["shape"].tolist()
    if emitted != taken:
        raise UpdateError(f"the head takes {taken}, but the extractor emits {emitted}")

    def run(image):
        values = image[None]
        for interpreter, inputs, outputs in parts:
            interpreter.set_tensor(inputs["index"], _quantized(values, inputs))
            interpreter.invoke()
            values = interpreter.get_tensor(outputs["index"])
        return values[0]

    return run


def _interpreter():
    """Returns the class that runs files, or says what to install."""
    try:
        import numpy  # noqa: F401
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        try:
            from tflite_runtime.interpreter import Interpreter
        except ImportError:
            raise UpdateError(
                f"a package is missing ({_told(error)}); pip install numpy ai-edge-litert"
            ) from None
    return Interpreter


@contextlib.contextmanager
def _running(what):
    """What the interpreter refuses is told in one line."""
    try:
        yield
    except (RuntimeError, ValueError, MemoryError) as error:
        if isinstance(error, UpdateError):
            raise
        raise UpdateError(f"{what}: {_told(error)}") from None


def _loaded(file):
    """Returns an interpreter of a path or of bytes, with its input and its output."""
    source = {"model_content": file} if isinstance(file, bytes) else {"model_path": str(file)}
    interpreter = _interpreter()(**source, num_threads=1)
    interpreter.allocate_tensors()
    ends = interpreter.get_input_details(), interpreter.get_output_details()
    if [len(end) for end in ends] != [1, 1]:
        raise UpdateError("a file has several inputs or outputs; expected one each")
    return interpreter, ends[0][0], ends[1][0]


def _quantized(values, inputs):
    """Returns values in the type that an input takes."""
    import numpy as np

    scale, zero = inputs["quantization"]
    if not scale:
        return values.astype(inputs["dtype"])
    kind = np.iinfo(inputs["dtype"])
    return np.clip(np.rint(values / scale + zero), kind.min, kind.max).astype(inputs["dtype"])


def _try_apart(extractor, head, device, classes):
    """Runs a new head once, where it can take neither this process nor its memory with it."""
    arguments = [str(extractor), str(head), json.dumps(device["image_shape"]), str(classes)]
    # Apart it finds packages where this process does, and no more is taken from the environment.
    places = json.dumps([os.path.abspath(place) for place in sys.path])
    command = [sys.executable, "-I", str(Path(__file__).absolute()), "try", *arguments, places]
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, timeout=_TRIAL_SECONDS, errors="replace"
        )
    except subprocess.TimeoutExpired:
        raise UpdateError(f"the head took more than {_TRIAL_SECONDS} s for one image") from None
    if not done.returncode:
        return
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("error: ")]
    if done.returncode == 2 and told:
        raise UpdateError(told[-1].removeprefix("error: "))
    last = f": {_told(RuntimeError(lines[-1]))}" if lines else ""
    raise UpdateError(f"the head does not run: its process ended with {done.returncode}{last}")


def _try(extractor, head, shape, classes):
    """Runs a head on the features of one image, in a process of its own."""
    import numpy as np

    _loaded(extractor)  # what it takes is there before the limit is set
    _limit_memory()
    image = np.arange(math.prod(shape)).reshape(shape) % 256
    with _running("the head does not run on the extractor"):
        logits = _network(extractor, head)(image.astype("uint8"))
    if logits.shape != (classes,):
        raise UpdateError(f"the head answers {logits.shape}; expected {(classes,)}, one a class")
    if not np.isfinite(logits).all():
        raise UpdateError("the head answers numbers that are not finite")


def _limit_memory():
    pages = Path("/proc/self/statm")
    if resource is None or not pages.exists():
        return
    used = int(pages.read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _TRIAL_MEMORY, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _images(path):
    """Returns the images of a .npy file, of which no more than one is held."""
    import numpy as np

    try:
        found = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise UpdateError(f"{_shown(str(path))} holds no images: {_told(error)}") from None
    if found.ndim not in (3, 4):
        raise UpdateError(
            f"{_shown(str(path))} holds an array of shape {found.shape}; expected one image, "
            "(height, width, channels), or several"
        )
    return found[None] if found.ndim == 3 else found


def main(arguments: Sequence[str]) -> int:
    """Does one command; returns the exit code."""
    commands = {"apply": 2, "status": 1, "rollback": 1, "classify": 2, "try": 5}
    if not arguments or len(arguments) != 1 + commands.get(arguments[0], -1):
        print(__doc__, file=sys.stderr)
        return 2
    command, *rest = arguments
    try:
        if command == "apply":
            start = time.perf_counter()
            update = apply(*rest)
            entry = _entry(update, read_device(rest[0]))
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
            classifier = Classifier(rest[0])
            for image in _images(rest[1]):
                name, score = classifier.classify(image)
                print(f"{name} {score:.3f}")
        else:
            sys.path[:] = json.loads(rest[4])
            _try(rest[0], rest[1], json.loads(rest[2]), int(rest[3]))
    except UpdateError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
