"""Names that would lead out of the store."""

from __future__ import annotations

from keras_compat.store.errors import BadNameError

NAMES = {
    "a folder above": "../head@1",
    "a folder above, in the version": "head@../../etc",
    "an absolute path": "/etc/passwd@1",
    "a path of Windows": "..\\head@1",
    "a drive of Windows": "c:head@1",
    "a device of Windows": "nul@1",
    "a URL": "file:///etc/passwd@1",
    "a URL of fsspec": "simplecache::http://host/part@1",
    "a hidden folder": ".staging@1",
    "a folder below": "head/1@1",
    "a zero byte": "head\0@1",
    "a line break": "head\n@1",
    "letters that look alike": "heаd@1",
    "digits of another script": "head@١",
    "nothing": "@1",
    "no version": "head@",
    "very long": "a" * 100_000 + "@1",
}


ATTACKS = {what: (lambda place, name=name: name, BadNameError) for what, name in NAMES.items()}
