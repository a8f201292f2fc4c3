"""`.npy` files whose header is none, or does not describe what follows it."""

from __future__ import annotations

import struct


def npy(header: str, content: bytes = b"", version: bytes = b"\1\0") -> bytes:
    """Returns a file with a header, right or not."""
    length = struct.pack("<H" if version == b"\1\0" else "<I", len(header))
    return b"\x93NUMPY" + version + length + header.encode() + content


def header(shape: object, descr: str = "'|u1'", order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


def bad_files(shape: tuple[int, ...], content: bytes) -> dict[str, bytes]:
    """Returns files, by what is wrong, of which a right one would have a shape and its bytes."""
    first, *others = shape
    rest = ", ".join(map(str, others))
    return {
        "nothing": b"",
        "the first sign": b"\x93",
        "no header": b"\x93NUMPY\1\0",
        "half a length": b"\x93NUMPY\1\0\x76",
        "a header that is cut off": b"\x93NUMPY\1\0\xff\xff{'descr'",
        "a header of four gigabytes": b"\x93NUMPY\2\0\xff\xff\xff\xff" + header(shape).encode(),
        "a version of the future": npy(header(shape), content, b"\4\0"),
        "brackets": npy("(" * 9000),
        "many brackets": npy("[" * 60_000),
        "minus signs": npy("-" * 9000 + "1"),
        "a text without an end": npy("{'descr': '''"),
        "zeros": npy("\0" * 100),
        "code": npy("__import__('os').abort()"),
        "no shape": npy("{'descr': '|u1'}"),
        "fewer bytes than said": npy(header(shape), content[:-1]),
        "pickled objects": npy(header(shape, "'|O'"), b"\x80\x04cos\nsystem\n(S'id'\ntR."),
        "a table of fields": npy(header(shape, "[('a', '<i4'), ('b', '<i4')]"), content * 8),
        "an unknown type": npy(header(shape, "'<u3'"), content * 3),
        "a type of several": npy(header(shape, "'u1,u1'"), content * 2),
        "a type with an escape": npy(header(shape, "'\x1b[2J'"), content),
        **{
            f"a shape of {name}": npy(header(other), content)
            for name, other in {
                "nothing": "()",
                "None": "None",
                "a truth value": f"(True, {rest})",
                "a number below zero": f"(-{first}, {rest})",
                "a number with a point": f"({first}.0, {rest})",
                "exabytes": f"({2**59}, {rest})",
                "more than 64 bits": f"({2**58}, {2**58}, {rest})",
                "a number of thousands of digits": f"({'9' * 5000}, {rest})",
            }.items()
        },
    }
