"""Reading of untrusted `.npz` files: headers of arrays are checked before use.

Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import math
import os
import re
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import numpy as np

from keras_compat.errors import InputError
from keras_compat.files import open_file

_MAGIC = b"\x93NUMPY"
_LENGTH_OF_HEADER = {1: "<H", 2: "<I", 3: "<I"}
_LONGEST_HEADER = 10_000  # bytes, the limit of NumPy
# NumPy evaluates the header as Python; this matches the headers of NumPy and other programs.
_FIELD = re.compile(
    r"""\s*(?P<quote>['"])(?P<key>descr|fortran_order|shape)(?P=quote)\s*:\s*
    (?:(?P<quote2>['"])(?P<descr>[^'"]*)(?P=quote2)|(?P<fortran_order>True|False)
    |\(\s*(?P<shape>(?:\d{1,19}L?\s*,\s*)*(?:\d{1,19}L?)?)\s*\))\s*(?:,|(?=\}))""",
    re.VERBOSE,
)
_TYPE = re.compile(r"[<>|=]?[?A-Za-z]\d{0,9}")


@dataclass(frozen=True)
class ArrayHeader:
    """Header of one array, read before the array is unpacked."""

    dtype: np.dtype
    shape: tuple[int, ...]
    fortran_order: bool

    @property
    def bytes(self) -> int:
        """Number of bytes of the unpacked array."""
        return math.prod(self.shape) * self.dtype.itemsize


class NpzFile:
    """Arrays of an open `.npz` file; see `open_npz`."""

    def __init__(self, where: str, file: IO[bytes]):
        self.where = where
        start = file.read(len(_MAGIC))
        if start == _MAGIC:
            raise InputError(f"{where} holds a single array; expected a .npz")
        with self._reading("as .npz"):
            self._zip = zipfile.ZipFile(file)
            self._members: dict[str, zipfile.ZipInfo] = {}
            for member in self._zip.infolist():
                name = member.filename.removesuffix(".npy")
                if name in self._members:
                    raise InputError(f"{where} has {name} twice; write it with np.savez")
                self._members[name] = member
                # Opening compares the two headers that the file has for each member.
                if not member.is_dir():
                    self._zip.open(member).close()

    def __contains__(self, name: str) -> bool:
        return name in self._members

    @property
    def names(self) -> list[str]:
        """Names of all arrays, in the order of the file."""
        return list(self._members)

    def header(self, name: str) -> ArrayHeader:
        """Returns the header of an array.

        Raises:
            InputError: If it is not an array of numbers or strings, or has another size.
        """
        with self._reading(name), self._zip.open(self._members[name]) as member:
            return self._header(name, member)

    def read(self, name: str) -> np.ndarray:
        """Returns an array; the caller checks its size by the header first.

        Raises:
            InputError: If it cannot be read.
        """
        with self._reading(name), self._zip.open(self._members[name]) as member:
            header = self._header(name, member)
            content = np.empty(header.bytes, np.uint8)
            left = memoryview(content)
            while left and (count := member.readinto(left)):
                left = left[count:]
            # One more byte: the checksum is compared at the end of the member.
            if left or member.read(1):
                raise self._other_size(name)
            order = "F" if header.fortran_order else "C"
            return content.view(header.dtype).reshape(header.shape, order=order)

    def _header(self, name: str, member: IO[bytes]) -> ArrayHeader:
        start = member.read(len(_MAGIC) + 2)
        if start[:-2] != _MAGIC:
            raise InputError(f"{name} in {self.where} is no NumPy array; write it with np.savez")
        form = _LENGTH_OF_HEADER.get(start[-2])
        if form is None or start[-1]:
            raise InputError(
                f"{name} in {self.where} is of version {start[-2]}.{start[-1]} of NumPy's format; "
                "expected 1.0, 2.0 or 3.0"
            )
        (length,) = struct.unpack(form, member.read(struct.calcsize(form)))
        if length > _LONGEST_HEADER:
            raise self._bad_header(name, f"of {length} bytes")
        text = member.read(length).decode("utf-8" if start[-2] == 3 else "latin-1")
        header = self._parsed(name, text)
        said = self._members[name].file_size
        if said != len(start) + struct.calcsize(form) + length + header.bytes:
            raise self._other_size(name)
        return header

    def _parsed(self, name: str, text: str) -> ArrayHeader:
        if re.search(r"""['"]descr['"]\s*:\s*\[""", text):
            raise InputError(
                f"{name} in {self.where} is a table of fields; expected an array of one type"
            )
        text = text.strip()
        values, end = {}, 1
        while field := _FIELD.match(text, end):
            values[field["key"]] = field[field["key"]]
            end = field.end()
        whole = text.startswith("{") and text[end:].strip() == "}" and len(values) == 3
        if not whole or None in values.values():
            raise self._bad_header(name, repr(text[:80]))
        descr = values["descr"]
        if not _TYPE.fullmatch(descr):
            raise self._bad_header(name, f"of type {descr[:40]!r}")
        try:
            dtype = np.dtype(descr)
        except (TypeError, ValueError, OverflowError):
            raise self._bad_header(name, f"of type {descr!r}") from None
        if dtype.hasobject:
            raise InputError(
                f"{name} in {self.where} holds pickled objects, which are refused; "
                "store arrays of numbers, and class names as an array of strings"
            )
        if not dtype.itemsize:
            raise self._bad_header(name, f"of type {descr!r}, which takes no bytes")
        sizes = [size.strip().rstrip("L") for size in values["shape"].split(",")]
        shape = tuple(int(size) for size in sizes if size)
        return ArrayHeader(dtype, shape, values["fortran_order"] == "True")

    def _bad_header(self, name: str, what: str) -> InputError:
        return InputError(
            f"{name} in {self.where} has a header {what}, which is none of NumPy's; "
            "write it with np.savez"
        )

    def _other_size(self, name: str) -> InputError:
        return InputError(
            f"{name} in {self.where} has more or fewer bytes than its header says; "
            "write it with np.savez"
        )

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except MemoryError:
            raise InputError(f"{self.where} does not fit into memory ({what})") from None
        # Errors of a damaged archive: BadZipFile, zlib.error, LZMAError, NotImplementedError for
        # another compression, RuntimeError for a password, struct.error, EOFError, ...
        except Exception as error:
            reason = str(error) or type(error).__name__
            raise InputError(
                f"{self.where} cannot be read ({what}: {reason}); write it again with np.savez"
            ) from None


@contextmanager
def open_npz(path: str | os.PathLike[str]) -> Iterator[NpzFile]:
    """Opens an `.npz` file without unpacking an array.

    Raises:
        InputError: If it is not a plain file, or not a file that `np.savez` can write.

    Example:

    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "a.npz")
    >>> np.savez(path, x=np.arange(6).reshape(2, 3))
    >>> with open_npz(path) as file:
    ...     print(file.names, file.header("x").shape, file.read("x").tolist())
    ['x'] (2, 3) [[0, 1, 2], [3, 4, 5]]
    """
    where = repr(os.fspath(path))
    try:
        with open_file(path) as file:
            yield NpzFile(where, file)
    except FileNotFoundError:
        raise InputError(f"npz file {where} does not exist; expected a .npz of arrays") from None
    except OSError as error:
        raise InputError(
            f"{where} cannot be read ({error.strerror}); expected a .npz of arrays"
        ) from None
