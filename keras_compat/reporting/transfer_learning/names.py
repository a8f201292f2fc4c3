"""Names of the methods of transfer learning, and figures that all records of a pair share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_compat.errors import InputError
from keras_compat.reporting.records import Record, select

METHODS = {
    "pretrained+rp": "pre-trained IIW+RP",
    "iiw+rp": "IIW+RP",
    "rp": "RP",
    "pretrained": "pre-trained IIW",
    "independent": "independent",
    "pretrained+reinitialized": "pre-trained, new head",
    "reinitialized": "reinitialized head",
}
"""Methods by their names in records, in the order of tables and legends."""


def constant(records: Sequence[Record], metric: str) -> Any:
    """Returns a figure that is the same for every seed and method.

    Raises:
        InputError: if there is none.

    Example:

    >>> constant([{"metric": "steps_an_epoch", "value": 8}], "steps_an_epoch")
    8
    """
    found = select(records, metric=metric)
    if not found:
        raise InputError(
            f"no record tells {metric} of what was fine-tuned; expected the results of "
            "transfer_learning"
        )
    return found[0]["value"]
