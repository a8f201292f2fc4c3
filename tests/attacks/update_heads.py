"""Whole updates for the device, with checksums that fit, whose head is none that it can use."""

from __future__ import annotations

import numpy as np

from tests.attacks.update_harness import with_head
from tests.updates import made


def head(content: bytes):
    return lambda archive: with_head(archive, content)


def filled(rows: int, columns: int) -> bytes:
    """A file of a kilobyte that fills so many numbers with ones, and looks for the largest."""
    network = made.pooled()
    shape, one = np.array([rows, columns], "int32"), np.array(1, "float32")
    network.add("FILL", (rows, columns), shape, one, takes=())
    return network.add("REDUCE_MAX", (1,), np.array([1], "int32")).content()


def taking(*shape: int) -> bytes:
    """A head of features of another shape."""
    kernel, bias = np.zeros((3, int(np.prod(shape))), "float32"), np.zeros(3, "float32")
    return made.Network((1, *shape)).add("FULLY_CONNECTED", (1, 3), kernel, bias).content()


def outside(content: bytes) -> bytes:
    """An operator takes a tensor that is not there."""
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import Builder

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    model.subgraphs[0].operators[0].inputs = np.array([2**30, 1, 2], "int32")
    builder = Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


RUNS_NOT = "the head does not run"

ATTACKS = {
    "nothing in it": (head(b"TFL3"), RUNS_NOT),
    "no LiteRT file": (head(b"\x89PNG" + bytes(5000)), RUNS_NOT),
    "cut off": (head(made.head()[:-200]), RUNS_NOT),
    "a tensor that is not there": (head(outside(made.head())), RUNS_NOT),
    "a shape of sixteen gigabytes": (head(filled(2**16, 2**16)), RUNS_NOT),
    "a shape of two gigabytes": (head(filled(2**14, 2**15)), RUNS_NOT),
    "a shape of two exabytes": (head(filled(2**30, 2**29)), RUNS_NOT),
    "features of another size": (head(taking(8, 8, 2)), "the head takes [1, 8, 8, 2]"),
    "features of other channels": (head(taking(4, 4, 3)), "the head takes [1, 4, 4, 3]"),
    "four classes where three are named": (head(made.head(classes=4)), "answers (4,)"),
    "not a number": (head(made.head(weight=np.nan)), "not finite"),
    "infinity": (head(made.head(weight=np.inf)), "not finite"),
    "the extractor again": (head(made.EXTRACTOR), "the head takes [1, 4, 4, 1]"),
}
