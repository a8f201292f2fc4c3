"""The report of a compatibility analysis: its sections in order, as text, Markdown and pictures."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from keras_compat.reporting.compatibility_analysis import (
    auxiliaries,
    baselines,
    calibration,
    common_classes,
    correlation,
    cost,
    incremental,
    matrix,
    methods,
    normalization,
    pretrained,
    rotation,
    same_data,
    setting,
    signals,
    splits,
)
from keras_compat.reporting.compatibility_analysis.analysis import METHODS, Analysis
from keras_compat.reporting.provenance import provenance
from keras_compat.reporting.records import Record
from keras_compat.reporting.report_files import not_shown, write_report_files
from keras_compat.reporting.section import Section
from keras_compat.reporting.shown import for_markdown, for_pictures, for_terminal

# A study more is one file and one line here.
_SECTIONS = (
    methods,
    matrix,
    incremental,
    pretrained,
    correlation,
    normalization,
    calibration,
    same_data,
    splits,
    common_classes,
    baselines,
    auxiliaries,
    rotation,
    signals,
    cost,
)
_STUDIES = {METHODS, *(part.STUDY for part in _SECTIONS if hasattr(part, "STUDY"))}
_CELL = ("study", "method", "seed")
_COST = ("study", "method", "networks")
# Keys of the records that are shown, by metric.
_NEEDS = {
    "recombination_accuracy": (*_CELL, "dataset"),
    "recombination_accuracy_by_calibration_images": (*_CELL, "extractor", "head", "images"),
    "recombination_accuracy_by_batch_size": (*_CELL, "dataset", "batch_size"),
    "own_accuracy": (*_CELL, "dataset"),
    "cross_correlation": _CELL,
    "channel_correlation": (*_CELL, "channel"),
    "compatibility_signal": (*_CELL, "extractor", "head", "signal"),
    **dict.fromkeys(("step_time_s", "step_time_ratio", "flops_per_step", "flops_ratio"), _COST),
    "chance": ("study",),
    "peak_memory_gib": (),
    "failure": ("method", "seed", "message"),
}


@for_terminal
def terminal_text(records: Sequence[Record], config: Mapping[str, Any] | None = None) -> str:
    """Returns what the app prints last: the tables of all studies, the main one at the end.

    Args:
        records: the records of the run.
        config: its settings.

    Returns:
        Lines without a newline at the end.

    Raises:
        InputError: if no record is of a study.

    Example:

    >>> record = {"metric": "recombination_accuracy", "study": "methods", "method": "rp",
    ...           "extractor": "a", "head": "b", "dataset": "a", "value": 0.5}
    >>> print(terminal_text([record]).splitlines()[-1])
    RP                   50.0         50.0
    """
    analysis = Analysis(records, config)
    parts = []
    for section in _sections(analysis):
        # The main table comes last, where it is seen.
        if section.title != methods.TITLE:
            parts += [section.title, *(table.text(9) for table in section.tables)]
    seeds = max(analysis.seeds(study) for study in analysis.studies)
    notes = [setting.restriction(analysis).replace("*", ""), setting.spreads(seeds)]
    parts += [textwrap.fill(note, 100) for note in notes]
    if analysis.methods(METHODS):
        parts.append(methods.TITLE)
        parts.append(methods.main_table(analysis, with_paper=False).text(11))
    return "\n\n".join(parts)


@for_markdown
def report_text(metrics: Mapping[str, Any]) -> str:
    """Returns the report in Markdown, made from a `metrics.json` alone.

    Args:
        metrics: as `load_metrics` returns it.

    Returns:
        The content of `report.md`; its pictures are in the folder `figures`.

    Raises:
        InputError: if no record is of a study.

    Example:

    >>> record = {"metric": "recombination_accuracy", "study": "methods", "method": "rp",
    ...           "extractor": "a", "head": "b", "dataset": "a", "value": 0.5}
    >>> text = report_text({"config": {}, "versions": {}, "hardware": {}, "data": {},
    ...                     "durations_s": {}, "results": [record]})
    >>> print(text.splitlines()[0])
    # Compatibility analysis on a
    """
    analysis = Analysis(metrics["results"], metrics["config"])
    datasets = analysis.datasets(setting.main_study(analysis)) or ("unnamed data",)
    parts = [
        f"# Compatibility analysis on {', '.join(datasets)}",
        *setting.what_was_done(analysis),
        "The paper's figures stand beside ours throughout. They are of its own data and scale; "
        "where these differ, compare the order of the methods and not the values:",
        setting.here_and_there(analysis, metrics["data"]).markdown(),
    ]
    for section in _sections(analysis):
        parts += [f"## {section.title}", *section.text]
        parts += [table.markdown() for table in section.tables]
        parts += [f"![{p.caption}](figures/{p.name})" for p in section.pictures]
    parts += not_shown(metrics["results"], _NEEDS, study=_STUDIES)
    return "\n\n".join([*parts, *provenance(metrics)]) + "\n"


@for_pictures
def draw_figures(
    records: Sequence[Record],
    folder: str | os.PathLike[str],
    config: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Draws every figure for which there are records.

    Args:
        records: the records of the run.
        folder: where the PNGs go; it is made if it is not there.
        config: the settings of the run.

    Returns:
        The files.

    Raises:
        InputError: if no record is of a study, or Matplotlib is not installed.

    Example:

    >>> import tempfile
    >>> record = {"metric": "recombination_accuracy", "study": "methods", "method": "rp",
    ...           "extractor": "a", "head": "b", "dataset": "a", "value": 0.5}
    >>> [path.name for path in draw_figures([record], tempfile.mkdtemp())]
    ['figure2.png', 'figure10_a.png']
    """
    drawn = []
    for section in _sections(Analysis(records, config)):
        for picture in section.pictures:
            path = Path(folder) / picture.name
            picture.draw(path)
            drawn.append(path)
    return drawn


def write_report(metrics: Mapping[str, Any], folder: str | os.PathLike[str]) -> list[Path]:
    """Writes `report.md` and `figures/*.png`, made from a `metrics.json` alone.

    Args:
        metrics: as `load_metrics` returns it.
        folder: where they go; it is made if it is not there.

    Returns:
        The files written, the report first.

    Raises:
        InputError: if no record is of a study, or Matplotlib is not installed.

    Example:

    >>> import tempfile
    >>> record = {"metric": "step_time_s", "study": "cost", "method": "rp", "networks": 2,
    ...           "value": 0.1}
    >>> metrics = {"config": {}, "versions": {}, "hardware": {}, "data": {}, "durations_s": {},
    ...            "results": [record]}
    >>> [path.name for path in write_report(metrics, tempfile.mkdtemp())]
    ['report.md', 'cost.png']
    """
    draw = partial(draw_figures, config=metrics["config"])
    return write_report_files(metrics, folder, report_text, draw, _NEEDS)


def _sections(analysis: Analysis) -> list[Section]:
    return [section for part in _SECTIONS if (section := part.section(analysis)) is not None]
