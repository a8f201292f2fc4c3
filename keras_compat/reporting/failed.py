"""What a report says of steps that have no result."""

from __future__ import annotations

from collections.abc import Sequence

from keras_compat.reporting.records import Record, select


def failed_steps(records: Sequence[Record]) -> list[str]:
    """Returns which steps of a run failed, and why.

    Args:
        records: the records of a run.

    Returns:
        Paragraphs in Markdown, none if all have a result.

    Example:

    >>> failed_steps([{"metric": "failure", "step": "a_seed0", "message": "why", "value": 1}])[1]
    '- a_seed0: why'
    """
    failures = select(records, metric="failure")
    if not failures:
        return []
    lines = "\n".join(f"- {record['step']}: {record['message']}" for record in failures)
    return [
        "**Without a result**, as a loss was not finite, are the following; means are over the "
        "seeds that are left.",
        lines,
    ]
