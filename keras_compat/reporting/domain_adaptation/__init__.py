"""Report of domain adaptation (Sec. 5.1, Table 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keras_compat.reporting.domain_adaptation import accuracy, choices, curves
from keras_compat.reporting.domain_adaptation.accuracy import ROWS, result_table
from keras_compat.reporting.domain_adaptation.choices import CHOSEN_BY, choice_table
from keras_compat.reporting.records import Record, over_seeds, unique
from keras_compat.reporting.report import Metrics, Report, ReportWriter, without_result

_DIRECTION = ("source", "target", "seed")
_NEEDS = {
    "accuracy": (*_DIRECTION, "network"),
    "chosen_rounds": (*_DIRECTION, "chosen_by", "layers", "learning_rate"),
    **dict.fromkeys(curves.CURVES, (*_DIRECTION, "layers", "learning_rate", "rounds")),
    "source_accuracy": ("source",),
    "failure": ("step", "message"),
}
_NETWORKS = {keys["network"] for keys in ROWS.values()}


def _report(metrics: Metrics) -> Report:
    records, config = metrics["results"], metrics["config"]
    directions = ", ".join(map(" to ".join, unique(records, "source", "target")))
    sections = [
        accuracy.section(records, config),
        choices.section(records),
        curves.section(records),
    ]
    return Report(
        f"Domain adaptation: {directions}" if directions else "Domain adaptation",
        [
            "A network was trained on the labelled images of a source, with auxiliary heads for "
            "tasks that need no labels. These heads and the classifier were then frozen, and the "
            "feature extractor alone learnt the auxiliary tasks on the unlabelled training images "
            "of a target (Sec. 5.1). Labels of the target were used to leave out images of classes "
            "that the source does not have, as the literature does, and to test, among the common "
            f"classes. {_held_out(config)}Figures are **average class accuracy** on the target's "
            "test images, in percent."
            + over_seeds(records, " ± is the sample standard deviation over {} seeds."),
            *without_result(records),
        ],
        [section for section in sections if section is not None],
    )


def _held_out(config: Mapping[str, Any]) -> str:
    if "held_out" not in config:
        return ""
    return (
        f"{100 * config['held_out']:g} % of the target's training images were held out to choose "
        "by, and nothing learnt from them, in the published way either. "
    )


def _summary(records: Sequence[Record], config: Mapping[str, Any]) -> list[str]:
    parts = []
    found, results = choice_table(records), result_table(records)
    if found is not None:
        parts += ["What was chosen without labels, and with", found.text(14)]
    if results is not None:
        parts += [f"Average class accuracy on the target [%]{over_seeds(records)}"]
        parts += [results.text(14)]
    return parts or ["Nothing was measured."]


REPORT = ReportWriter(_report, _summary, _NEEDS, {"network": _NETWORKS, "chosen_by": CHOSEN_BY})
terminal_text, write_report = REPORT.terminal_text, REPORT.write
