"""Whole archives whose `update.json` is none, or is not for the device."""

from __future__ import annotations

import json
from typing import Any

from tests.attacks.update_harness import HEAD, rewrite

OTHER = "0" * 64


def changed(change):
    """`change` of `update.json`, or what it returns, takes its place."""
    return lambda archive: rewrite(archive, change)


def said(**fields: Any):
    """Fields have other values."""
    return changed(lambda update: update.update(fields))


def text(data: bytes):
    return changed(lambda update: data)


def extractor(**fields: Any):
    """The record of the device's extractor has other values."""
    return changed(lambda update: update["extractors"][0].update(fields))


def file(**fields: Any):
    return changed(lambda update: update["files"][HEAD].update(fields))


def key_twice(update: dict[str, Any]) -> bytes:
    return json.dumps(update).encode().replace(b'"number"', b'"number": 9, "number"', 1)


def escaping(update: dict[str, Any]) -> None:
    update["files"]["../../" + HEAD] = update["files"].pop(HEAD)


ATTACKS = {
    "an older update": (said(number=1), "this device has had 1"),
    "number zero": (said(number=0), "number is 0"),
    "a number below zero": (said(number=-5), "number is -5"),
    "a number that is a text": (said(number="2"), "number is '2'"),
    "a number with a point": (said(number=2.0), "number is 2.0"),
    "a number that is true": (said(number=True), "number is True"),
    "a number beyond 53 bits": (said(number=2**60), "number is"),
    "another classifier's": (said(name="cars"), "takes those of animals"),
    "of another family": (said(families=[OTHER]), "not of the family"),
    "of no family": (said(families=[]), "not of the family"),
    "for another extractor": (extractor(sha256="1" * 64), "files are not those"),
    "of another interface": (extractor(interface=[8, 8, 2]), "takes [8, 8, 2]"),
    "in another quantization": (extractor(quantization="int8"), "in int8"),
    "in a quantization of nobody": (extractor(quantization="int4"), "quantization is 'int4'"),
    "an accuracy above one": (extractor(accuracy=1.5), "accuracy is 1.5"),
    "a newer schema": (said(schema_version=2), "take a later one"),
    "a field that nobody knows": (said(run="import os"), "has other fields than"),
    "a field missing": (changed(lambda update: update.pop("families") and None), "other fields"),
    "classes twice": (said(class_names=["a", "a", "b"]), "twice"),
    "a line break in a class": (said(class_names=["a", "b\nerror: c", "d"]), "class_names"),
    "a terminal's escape in a class": (said(class_names=["a", "\x1b[2J", "c"]), "class_names"),
    "half a letter in a class": (said(class_names=["a", "\ud800", "c"]), "class_names"),
    "a name that leaves the folder": (said(name="../x"), "name is '../x'"),
    "a file outside": (changed(escaping), "files are not those"),
    "a file more": (changed(lambda u: u["files"].update(x=u["files"][HEAD])), "are not those"),
    "a file of a terabyte": (file(size=2**40), "size is"),
    "a file of less than nothing": (file(size=-1), "size is -1"),
    "a file of another size": (file(size=1), "fetch it again"),
    "another checksum": (file(sha256=OTHER), "SHA-256 is not"),
    "nothing": (text(b""), "not valid JSON"),
    "no UTF-8": (text(b"\xff\xfe\x00"), "not valid JSON"),
    "UTF-16": (text('{"schema_version": 1}'.encode("utf-16")), "not valid JSON"),
    "a list": (text(b"[]"), "update.json is 'list'"),
    "NaN": (text(b'{"schema_version": NaN}'), "NaN is no number"),
    "a hundred thousand brackets": (text(b"[" * 100_000), "not valid JSON"),
    "a number of five thousand digits": (text(b"9" * 5000), "not valid JSON"),
    "a key twice": (changed(key_twice), "a key is there twice"),
    "two classes for a head of three": (said(class_names=["a", "b"]), "the head answers (3,)"),
}
