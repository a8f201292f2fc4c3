"""Files that need more than the LiteRT interpreter are found out."""

from __future__ import annotations

import pytest

from keras_compat.deployment.operators import check_operators, litert_operators
from keras_compat.errors import InputError


@pytest.mark.parametrize("bad", ["CUSTOM:FlexErfinv", "CUSTOM:Own", "VAR_HANDLE", "READ_VARIABLE"])
def test_refuses_operators_outside_the_litert_set(bad):
    with pytest.raises(InputError, match=f"a.tflite would need {bad}"):
        check_operators({"CONV_2D": 3, bad: 1}, "a.tflite")


def test_reads_builtin_and_custom_operators():
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    import flatbuffers

    relu, flex = schema.OperatorCodeT(), schema.OperatorCodeT()
    relu.builtinCode = relu.deprecatedBuiltinCode = schema.BuiltinOperator.RELU
    flex.builtinCode = flex.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    flex.customCode = b"FlexErfinv"
    graph = schema.SubGraphT()
    graph.operators = []
    for index in (0, 1, 0):
        operator = schema.OperatorT()
        operator.opcodeIndex = index
        graph.operators.append(operator)
    model = schema.ModelT()
    model.operatorCodes, model.subgraphs = [relu, flex], [graph]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    assert litert_operators(bytes(builder.Output())) == {"RELU": 2, "CUSTOM:FlexErfinv": 1}
