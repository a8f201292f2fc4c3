"""Cross-correlation of the channels of two extractors (Sec. 4, Fig. 3)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_compat.methods import INDEPENDENT, is_papers_combination, method_name
from keras_compat.reporting import figures, paper
from keras_compat.reporting.records import Record, Summary, mean_by_seed, summarise
from keras_compat.reporting.section import Picture, Section
from keras_compat.reporting.table import MISSING, Table, number
from keras_compat.studies.analysis import METHODS, Analysis
from keras_compat.studies.charts import about
from keras_compat.studies.result_table import Row, published, summary

if TYPE_CHECKING:
    from keras_compat.studies.trained import Trained

_PRETRAINED = "pretrained"


def measure(trained: Trained) -> list[Record]:
    """Returns the cross-correlation by channel of extractors on all test images (Fig. 3)."""
    from keras_compat.evaluation import cross_correlation, optimal_permutation
    from keras_compat.networks import feature_interface

    records = []
    # Each data set once; several networks may have the same (B.2).
    tests = [d.test for d in {id(d): d for d in trained.datasets.values()}.values()]
    for a, b in combinations(trained.networks, 2):
        one, other = trained.extractors[a], trained.extractors[b]
        if feature_interface(one) != feature_interface(other):
            continue
        found = cross_correlation(one, other, tests, trained.batch_size)
        records += _records(trained, np.diag(found), a, b)
        if trained.cell.method == INDEPENDENT:
            best = optimal_permutation(found)
            records += _records(trained, found[np.arange(len(best)), best], a, b, permuted=True)
    return records


def _records(trained: Trained, values: np.ndarray, a: str, b: str, **keys: Any) -> list[Record]:
    keys = {"extractor_a": a, "extractor_b": b, **keys}
    ordered = np.sort(values)[::-1]
    return [
        trained.record("cross_correlation", float(np.mean(values)), **keys),
        *(
            trained.record("channel_correlation", float(value), channel=number, **keys)
            for number, value in enumerate(ordered)
        ),
    ]


def sections(analysis: Analysis) -> Iterator[Section]:
    rows = _rows(analysis)
    if not rows:
        return
    yield Section(
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
    """Returns permuted independent first, as in the paper, then the methods, then pre-trained."""
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
    """Returns, by rank of the channel, the mean over pairs of extractors."""
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
