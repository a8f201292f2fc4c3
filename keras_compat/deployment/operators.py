"""Operators of a LiteRT file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from keras_compat.deployment.optional_dependencies import require
from keras_compat.errors import InputError

# A file with these operators has its weights outside of the graph and starts empty.
_STATEFUL = {"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"}


def litert_operators(content: bytes | str | Path) -> dict[str, int]:
    """Returns the number of each operator in a LiteRT file.

    Returns:
        Counts by name, such as `{"CONV_2D": 3}`. An operator outside of the LiteRT set has its own
        name after `CUSTOM:`; `CUSTOM:Flex...` (SELECT_TF_OPS) needs parts of TensorFlow on the
        phone.

    Raises:
        InputError: If ai-edge-litert is not installed.

    Source: the format's schema, https://ai.google.dev/edge/litert.

    Example:

    >>> litert_operators("extractor.tflite")  # doctest: +SKIP
    {'ADD': 8, 'CONV_2D': 17, 'DEPTHWISE_CONV_2D': 8, 'MUL': 1}
    """
    require("ai_edge_litert", "reading a LiteRT file")
    from ai_edge_litert import schema_py_generated as schema

    data = content if isinstance(content, bytes) else Path(content).read_bytes()
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    codes = []
    for code in model.operatorCodes:
        name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        codes.append(f"CUSTOM:{code.customCode.decode()}" if name == "CUSTOM" else name)
    counts = Counter(codes[op.opcodeIndex] for part in model.subgraphs for op in part.operators)
    return dict(sorted(counts.items()))


def check_operators(operators: dict[str, int], what: str) -> None:
    """Raises `InputError` if a LiteRT file cannot run with the LiteRT interpreter alone.

    Raises:
        InputError: If there is a Flex or other custom operator, or weights outside of the graph.

    Example:

    >>> check_operators({"CONV_2D": 3, "CUSTOM:FlexErfinv": 1}, "head.tflite")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: head.tflite would need CUSTOM:FlexErfinv; ...
    """
    bad = sorted(name for name in operators if name.startswith("CUSTOM:") or name in _STATEFUL)
    if bad:
        raise InputError(
            f"{what} would need {', '.join(bad)}; expected operators of the LiteRT set only:"
            " replace the layer that needs them"
        )
