"""Report of the compatibility analysis: its introduction and the sections of all studies."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from keras_compat.reporting.records import Record
from keras_compat.reporting.report import Metrics, Report, ReportWriter
from keras_compat.reporting.section import Section
from keras_compat.studies import STUDIES, introduction, methods
from keras_compat.studies.analysis import METHODS, Analysis

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


def _report(metrics: Metrics) -> Report:
    analysis = Analysis(metrics["results"], metrics["config"])
    datasets = analysis.datasets(introduction.main_study(analysis)) or ("unnamed data",)
    return Report(
        f"Compatibility analysis on {', '.join(datasets)}",
        [
            *introduction.what_was_done(analysis),
            "The paper's figures stand beside ours throughout. They are of its own data and scale; "
            "where these differ, compare the order of the methods and not the values:",
            introduction.here_and_there(analysis, metrics["data"]),
        ],
        _sections(analysis),
    )


def _summary(records: Sequence[Record], config: Mapping[str, Any]) -> list[str]:
    analysis = Analysis(records, config)
    parts = []
    for section in _sections(analysis):
        # The main table comes last, where it is seen.
        if section.title != methods.TITLE:
            parts += [section.title, *(table.text(9) for table in section.tables)]
    seeds = max(analysis.seeds(study) for study in analysis.studies)
    notes = [introduction.restriction(analysis).replace("*", ""), introduction.spreads(seeds)]
    parts += [textwrap.fill(note, 100) for note in notes]
    if analysis.methods(METHODS):
        parts += [methods.TITLE, methods.main_table(analysis, with_paper=False).text(11)]
    return parts


def _sections(analysis: Analysis) -> list[Section]:
    return [section for name in STUDIES for section in STUDIES[name].sections(analysis)]


REPORT = ReportWriter(_report, _summary, _NEEDS, {"study": STUDIES})
