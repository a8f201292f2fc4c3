"""Single images: accuracy by the number of images that moving statistics are taken on."""

from __future__ import annotations

from functools import partial

from keras_compat.reporting import figures
from keras_compat.reporting.compatibility_analysis.analysis import Analysis
from keras_compat.reporting.compatibility_analysis.charts import RECOMBINED, about, levels
from keras_compat.reporting.compatibility_analysis.names import method_name
from keras_compat.reporting.figures import Series
from keras_compat.reporting.records import Record, Summary, mean_by_seed, summarise
from keras_compat.reporting.section import Picture, Section
from keras_compat.reporting.table import MISSING, Table, percent

STUDY = "calibration"
_METRIC = "recombination_accuracy_by_calibration_images"
# What is there for comparison, in the place of a number of images.
_BATCH = "batch"

Curve = dict[int | str, list[Record]]
"""Records of one figure each, by number of images; last those of batch statistics."""


def section(analysis: Analysis) -> Section | None:
    """Returns the section of moving statistics, or `None` if they were not measured.

    Args:
        analysis: the records.

    Returns:
        The section.

    Example:

    >>> section(Analysis([{"metric": "step_time_s", "study": "cost", "value": 1}])) is None
    True
    """
    pairs = _pairs(analysis)
    if not pairs:
        return None
    means = {
        method: _mean([c for (m, *_), c in pairs.items() if m == method])
        for method in dict.fromkeys(method for method, *_ in pairs)
    }
    counts = sorted({n for curve in pairs.values() for n in curve if n != _BATCH})
    text = (
        "A deployed network sees one image at a time and needs moving statistics. Those of "
        "training do not suit a recombined pair, so they are taken again, on so many training "
        "images of the extractor's data, without labels; beside them, what test batches reach by "
        "their own statistics. The difference is in points, with the most images that all pairs "
        "have."
    )
    rows = [
        [method_name(method), *_cells(curve, counts), _difference(curve)]
        for method, curve in means.items()
    ]
    header = ["method, mean over pairs", *(f"{n:,}" for n in counts), "test batches", "difference"]
    by_pair = [
        [
            f"{method_name(method)}: {e} with the head of {h}",
            *_cells(curve, counts),
            _difference(curve),
        ]
        for (method, e, h), curve in pairs.items()
    ]
    return Section(
        "Moving statistics by number of images",
        [text],
        [Table(header, rows), Table(["every pair", *header[1:]], by_pair)],
        [_picture(analysis, means)],
    )


def _pairs(analysis: Analysis) -> dict[tuple[str, str, str], Curve]:
    found: dict[tuple[str, str, str], Curve] = {}
    for record in analysis.find(_METRIC, STUDY):
        pair = (record["method"], record["extractor"], record["head"])
        found.setdefault(pair, {}).setdefault(record["images"], []).append(record)
    for (method, e, h), curve in found.items():
        keys = {"method": method, "extractor": e, "head": h}
        curve[_BATCH] = analysis.find("recombination_accuracy", STUDY, **keys)
    return found


def _mean(curves: list[Curve]) -> Curve:
    """The mean over pairs within each seed, where all pairs were measured."""
    shared = [n for n in curves[0] if all(n in curve for curve in curves)]
    return {n: mean_by_seed([r for curve in curves for r in curve[n]]) for n in shared}


def _cells(curve: Curve, counts: list[int]) -> list[str]:
    return [percent(summarise(curve[n])) if n in curve else MISSING for n in (*counts, _BATCH)]


def _difference(curve: Curve) -> str:
    """What the most images reach above batch statistics, in points, within each seed."""
    most = max((n for n in curve if n != _BATCH), default=_BATCH)
    batch = {r["seed"]: r["value"] for r in curve[_BATCH]}
    found = summarise(
        [{**r, "value": r["value"] - batch[r["seed"]]} for r in curve[most] if r["seed"] in batch]
    )
    if found is None:
        return MISSING
    spread = f"±{100 * found.std:.1f}" if found.count > 1 else ""
    return f"{100 * found.mean:+.1f}{spread}"


def _picture(analysis: Analysis, means: dict[str, Curve]) -> Picture:
    title = "Single images: recombination accuracy by images for moving statistics"
    subtitle = about(analysis, STUDY)
    series = [
        Series(method_name(method), {_place(n): v for n, v in _summaries(curve).items()})
        for method, curve in means.items()
    ]
    draw = partial(
        figures.draw_lines,
        series=series,
        lines=levels(analysis, STUDY),
        title=title,
        subtitle=subtitle,
        x_label="images without labels that statistics are taken on",
        scale=RECOMBINED,
    )
    return Picture("calibration.png", f"{title}: {subtitle}.", draw)


def _summaries(curve: Curve) -> dict[int | str, Summary]:
    found = {n: summarise(records) for n, records in curve.items()}
    return {n: summary for n, summary in found.items() if summary is not None}


def _place(count: int | str) -> str:
    return "batches" if count == _BATCH else f"{count:,}"
