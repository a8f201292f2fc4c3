"""The table that most studies share: recombined and own accuracy, compatibility, correlation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from keras_compat.reporting import paper
from keras_compat.reporting.compatibility_analysis.analysis import Analysis
from keras_compat.reporting.compatibility_analysis.names import UPPER_BOUNDS, method_name
from keras_compat.reporting.records import Summary
from keras_compat.reporting.table import MISSING, Table, number, percent


@dataclass(frozen=True)
class Row:
    """One row: what it is called, and the keys of its records.

    Args:
        label: in the first column.
        study: where its records are.
        keys: what its records have, such as the method; see `Analysis.find`.
    """

    label: str
    study: str
    keys: Mapping[str, Any] = field(default_factory=dict)


def method_rows(analysis: Analysis, study: str, bounds: bool = False, **keys: Any) -> list[Row]:
    """Returns a row for each method of a study.

    Args:
        analysis: the records.
        study: whose methods.
        bounds: whether the upper bounds come last.
        **keys: what the records have besides.

    Returns:
        The rows, in the order in which the methods were measured.

    Example:

    >>> record = {"metric": "chance", "study": "methods", "method": "rp", "value": 0.1}
    >>> [row.label for row in method_rows(Analysis([record]), "methods")]
    ['RP']
    """
    methods = analysis.methods(study, bounds)
    return [Row(method_name(m), study, {"method": m, **keys}) for m in methods]


def result_table(
    analysis: Analysis,
    heading: str,
    rows: Sequence[Row],
    extra: Mapping[str, Sequence[str]] | None = None,
) -> Table:
    """Returns accuracies in percent, compatibility and cross-correlation, a row each.

    Args:
        analysis: the records.
        heading: of the first column.
        rows: what to show.
        extra: columns to add at the end, such as the paper's figures, a cell a row.

    Returns:
        A table without the columns for which there is nothing.

    Example:

    >>> record = {"metric": "recombination_accuracy", "study": "methods", "method": "rp",
    ...           "extractor": "a", "head": "b", "dataset": "a", "value": 0.5}
    >>> rows = [Row("RP", "methods", {"method": "rp"})]
    >>> print(result_table(Analysis([record]), "method", rows).text(20))
    method  recombined, on a  recombined, average
    ------  ----------------  -------------------
    RP                  50.0                 50.0
    """
    networks = tuple(dict.fromkeys(n for row in rows for n in analysis.networks(row.study)))
    columns: dict[str, list[str]] = {}
    for network in networks:
        columns[f"recombined, on {network}"] = [
            percent(_recombined(analysis, r, network)) for r in rows
        ]
    columns["recombined, average"] = [percent(_recombined(analysis, r)) for r in rows]
    for title, subset in (("common", "common"), ("all", "all")):
        columns[f"own head, {title} classes"] = [
            percent(analysis.own(r.study, subset=subset, **r.keys)) for r in rows
        ]
    between = {
        "compatibility": analysis.compatibility,
        "cross-correlation": analysis.cross_correlation,
    }
    for title, figure in between.items():
        columns[title] = [MISSING if _alone(r) else number(figure(r.study, **r.keys)) for r in rows]
    columns |= {name: list(cells) for name, cells in (extra or {}).items()}
    columns = {n: cells for n, cells in columns.items() if any(c != MISSING for c in cells)}
    body = [[r.label, *(c[i] for c in columns.values())] for i, r in enumerate(rows)]
    return Table([heading, *columns], body)


def published(analysis: Analysis, study: str) -> str:
    """Returns what columns of the paper's figures are called beside a study's.

    Args:
        analysis: the records.
        study: of whose data the paper's may differ.

    Returns:
        `"paper"` on the paper's data sets; on others with theirs.

    Example:

    >>> record = {"metric": "chance", "study": "methods", "value": 0.1}
    >>> published(Analysis([record]), "methods")
    'paper (CIFAR-10, STL-10)'
    """
    on_papers_data = analysis.on_papers_data(study)
    return "paper" if on_papers_data else f"paper ({paper.COMPATIBILITY_DATASETS})"


def cells(values: Mapping[str, float], methods: Sequence[str]) -> list[str]:
    """Returns the paper's fractions for methods, as cells in percent.

    Args:
        values: by method.
        methods: a cell each.

    Returns:
        The cells, `"-"` where the paper has none.

    Example:

    >>> cells({"rp": 0.501}, ["rp", "iiw+rp"])
    ['50.1', '-']
    """
    return [percent(summary(values.get(m))) for m in methods]


def summary(value: float | None) -> Summary | None:
    """Returns one figure as the summary of itself.

    Args:
        value: a figure that has no spread, such as the paper's.

    Returns:
        The summary, or `None` for `None`.

    Example:

    >>> summary(0.5)
    Summary(mean=0.5, std=0.0, count=1)
    """
    return None if value is None else Summary(value, 0.0, 1)


def _recombined(analysis: Analysis, row: Row, network: str | None = None) -> Summary | None:
    return None if _alone(row) else analysis.recombination(row.study, network, **row.keys)


def _alone(row: Row) -> bool:
    """Whether a row is of a bound: its networks are with their own heads only."""
    return row.keys.get("method") in UPPER_BOUNDS
