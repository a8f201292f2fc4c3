"""Cross-correlation of the channels of two extractors (Sec. 4, Fig. 3)."""

from __future__ import annotations

from functools import partial
from typing import Any

from keras_compat.reporting import figures, paper
from keras_compat.reporting.compatibility_analysis.analysis import METHODS, Analysis
from keras_compat.reporting.compatibility_analysis.charts import about
from keras_compat.reporting.compatibility_analysis.names import is_papers_combination, method_name
from keras_compat.reporting.compatibility_analysis.result_table import Row, published, summary
from keras_compat.reporting.records import Record, Summary, mean_by_seed, summarise
from keras_compat.reporting.section import Picture, Section
from keras_compat.reporting.table import MISSING, Table, number

_PRETRAINED = "pretrained"


def section(analysis: Analysis) -> Section | None:
    """Returns the section of the cross-correlation, or `None` if it was not measured.

    Args:
        analysis: the records.

    Returns:
        The section.

    Example:

    >>> section(Analysis([{"metric": "step_time_s", "study": "cost", "value": 1}])) is None
    True
    """
    rows = _rows(analysis)
    if not rows:
        return None
    return Section(
        "Feature cross-correlation (Sec. 4, Fig. 3)",
        [
            "Correlation between channel i of one extractor and channel i of the other, over all "
            "positions of all test images of the data sets, averaged over channels. In `permuted "
            "independent` the channels of one extractor are put into the order that fits the "
            "other's best."
        ],
        [_table(analysis, rows)],
        [_picture(analysis, rows)] if _channels(analysis, rows[0]) else [],
    )


def _rows(analysis: Analysis) -> list[Row]:
    """Permuted independent first, as in the paper, then the methods, then from pre-trained."""
    rows = [
        Row(f"permuted {method_name(m)}", METHODS, {"method": m, "permuted": True})
        for m in analysis.methods(METHODS)
    ]
    rows += [Row(method_name(m), METHODS, {"method": m}) for m in analysis.methods(METHODS)]
    rows += [
        Row(f"{method_name(m)}, pre-trained", _PRETRAINED, {"method": m, "pretrained": True})
        for m in analysis.methods(_PRETRAINED)
    ]
    return [r for r in rows if analysis.cross_correlation(r.study, **r.keys) is not None]


def _table(analysis: Analysis, rows: list[Row]) -> Table:
    body = []
    for row in rows:
        channels = _channels(analysis, row)
        body.append(
            [
                row.label,
                number(analysis.cross_correlation(row.study, **row.keys)),
                number(channels[0] if channels else None),
                number(channels[-1] if channels else None),
                _published(row.study, row.keys),
            ]
        )
    return Table(
        ["method", "mean", "highest channel", "lowest channel", published(analysis, METHODS)], body
    )


def _picture(analysis: Analysis, rows: list[Row]) -> Picture:
    blocks = [
        figures.Blocks(
            row.label,
            [channel.mean for channel in _channels(analysis, row)],
            [
                number(analysis.cross_correlation(row.study, **row.keys)),
                _published(row.study, row.keys),
            ],
        )
        for row in rows
        if _channels(analysis, row)
    ]
    subtitle = about(analysis, METHODS)
    draw = partial(
        figures.draw_blocks,
        rows=blocks,
        columns=["mean", "paper"],
        title="Cross-correlation of channels",
        subtitle=subtitle,
        x_label="channels, sorted",
        legend="correlation",
    )
    return Picture("figure3.png", f"Cross-correlation of each channel: {subtitle}.", draw)


def _channels(analysis: Analysis, row: Row) -> list[Summary]:
    """By rank of the channel, the mean over pairs of extractors."""
    by_rank: dict[int, list[Record]] = {}
    for record in analysis.find("channel_correlation", row.study, **row.keys):
        by_rank.setdefault(record["channel"], []).append(record)
    found = [summarise(mean_by_seed(by_rank[rank])) for rank in sorted(by_rank)]
    return [channel for channel in found if channel is not None]


def _published(study: str, keys: dict[str, Any]) -> str:
    method = keys["method"]
    if study == _PRETRAINED:
        low, high = paper.COMPATIBILITY_CORRELATION_PRETRAINED
        theirs = "iiw" in method.split("+") and is_papers_combination(method)
        return f"{low:.2f}-{high:.2f}" if theirs or method == "iiw" else MISSING
    if keys.get("permuted"):
        permuted = paper.COMPATIBILITY_CORRELATION_PERMUTED
        return number(summary(permuted if method == "independent" else None))
    return number(summary(paper.COMPATIBILITY_CORRELATION.get(method)))
