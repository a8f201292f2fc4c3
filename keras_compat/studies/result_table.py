"""The table that most studies share: recombined and own accuracy, compatibility, correlation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from keras_compat.methods import UPPER_BOUNDS, method_name
from keras_compat.reporting import paper
from keras_compat.reporting.records import Summary
from keras_compat.reporting.table import MISSING, Table, number, percent
from keras_compat.studies.analysis import Analysis


@dataclass(frozen=True)
class Row:
    """One row of a table: its name, and the keys of its records.

    Args:
        keys: Keys of its records, such as the method; see `Analysis.find`.
        paper: Recombination accuracy in the paper, if it has one.
    """

    label: str
    study: str
    keys: Mapping[str, Any] = field(default_factory=dict)
    paper: float | None = None


def method_rows(analysis: Analysis, study: str, bounds: bool = False, **keys: Any) -> list[Row]:
    """Returns a row for each method of a study."""
    methods = analysis.methods(study, bounds)
    theirs = paper.COMPATIBILITY_RECOMBINED
    return [Row(method_name(m), study, {"method": m, **keys}, theirs.get(m)) for m in methods]


def result_table(
    analysis: Analysis,
    heading: str,
    rows: Sequence[Row],
    extra: Mapping[str, Sequence[str]] | None = None,
) -> Table:
    """Returns accuracies in percent, compatibility and cross-correlation, a row each.

    Args:
        extra: Columns to add at the end, such as the paper's figures, a cell a row.

    Returns:
        A table without columns that are empty.

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
    """Returns the heading of columns with the paper's figures."""
    on_papers_data = analysis.on_papers_data(study)
    return "paper" if on_papers_data else f"paper ({paper.COMPATIBILITY_DATASETS})"


def papers(rows: Sequence[Row]) -> list[str]:
    """Returns the paper's recombination accuracies of rows, as cells in percent."""
    return [percent(summary(row.paper)) for row in rows]


def percents(values: Mapping[str, float], methods: Sequence[str]) -> list[str]:
    """Returns the paper's fractions for methods, as cells in percent."""
    return [percent(summary(values.get(m))) for m in methods]


def summary(value: float | None) -> Summary | None:
    """Returns one figure as the summary of itself."""
    return None if value is None else Summary(value, 0.0, 1)


def _recombined(analysis: Analysis, row: Row, network: str | None = None) -> Summary | None:
    return None if _alone(row) else analysis.recombination(row.study, network, **row.keys)


def _alone(row: Row) -> bool:
    """Returns whether a row is of a bound, whose networks have their own heads only."""
    return row.keys.get("method") in UPPER_BOUNDS
