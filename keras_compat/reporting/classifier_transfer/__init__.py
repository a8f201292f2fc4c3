"""Report of the classifier transfer (Sec. 5.2, Fig. 4; B.7, Fig. 11)."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from keras_compat.reporting import paper
from keras_compat.reporting.classifier_transfer.pictures import pictures
from keras_compat.reporting.classifier_transfer.tables import deployment_table, result_table
from keras_compat.reporting.classifier_transfer.updated_head import (
    HEADLINES,
    VARIANTS,
    UpdatedHead,
    constant,
    dataset_of,
    updated_heads,
)
from keras_compat.reporting.records import Record, select, summarise
from keras_compat.reporting.report import Metrics, Report, ReportWriter, without_result
from keras_compat.reporting.section import Section
from keras_compat.reporting.table import percent

_OF_EXTRACTORS = (*HEADLINES, "accuracy", "accuracy_difference", "max_logit_difference")
_NEEDS = {
    **dict.fromkeys((*_OF_EXTRACTORS, "upper_bound"), ("extractor",)),
    **dict.fromkeys(("lower_bound", "chance", "peak_memory_gib"), ()),
    "failure": ("step", "message"),
}


def _report(metrics: Metrics) -> Report:
    records = metrics["results"]
    dataset, heads = dataset_of(records), updated_heads(records)
    notes = "\n".join(f"- {line}" for line in _notes(heads))
    return Report(
        f"Classifier transfer on {dataset}",
        [
            "Extractors of several architectures were trained together with one head on the first "
            "classes only. The head was then extended to all classes and fine-tuned on one "
            "extractor, the reference. Here it is recombined with every extractor, with no further "
            "training. Accuracies are in percent, on the test images; `old classes` are the first "
            "ones, `before` is before the head was updated.",
            *without_result(records),
        ],
        [*map(_section, heads), Section("", [notes], pictures=pictures(heads))],
    )


def _section(head: UpdatedHead) -> Section:
    deployed = deployment_table(head)
    title = f"### From training to deployed files, {head.label}"
    return Section(
        f"Updated head, {head.label}{head.seeds}",
        [result_table(head), *([] if deployed is None else [title, deployed])],
    )


def _summary(records: Sequence[Record], config: Mapping[str, Any]) -> list[str]:
    heads, parts = updated_heads(records), []
    for head in heads:
        about = f"{dataset_of(records)}, {head.label}{head.seeds}"
        parts += [f"Accuracy with the updated head [%], {about}", result_table(head).text()]
        deployed = deployment_table(head)
        if deployed is not None:
            parts.append(f"On all classes, from training to deployed files [%], {about}")
            parts.append(deployed.text())
    notes = (textwrap.fill(line, 100, subsequent_indent="  ") for line in _notes(heads))
    return [*parts, "\n".join(notes)]


def _notes(heads: Sequence[UpdatedHead]) -> list[str]:
    """Returns what the tables' marks mean, the bounds of all extractors, and the paper's."""
    records, lines = heads[0].records, []
    if any(head.reference for head in heads):
        lines.append("The star marks the reference, the extractor on which the head was updated.")
    lower, chance = constant(records, "lower_bound"), constant(records, "chance")
    if lower is not None:
        lines.append(f"Lower bound, the old classes' share of the test images: {percent(lower)}.")
    if chance is not None:
        lines.append(f"Chance: {percent(chance)}.")
    images = {r["images"] for r in records if "images" in r}
    if images:
        count = " or ".join(f"{n:,}" for n in sorted(images))
        lines.append(f"SavedModel and LiteRT files were run on {count} of the test images.")
    memory = summarise(select(records, metric="peak_memory_gib"))
    if memory is not None:
        lines.append(f"Peak memory of the largest process: {memory.mean:.1f} GiB.")
    low, high = paper.CLASSIFIER_TRANSFER_CHANGED_UPPER_BOUND
    lines.append(
        "The paper's figures are of ResNet-56 and MobileNet V2 on CIFAR-10; its upper bounds "
        f"with the changed architectures are {100 * low:.1f} to {100 * high:.1f}, its lower bound "
        f"is {100 * paper.CLASSIFIER_TRANSFER_LOWER_BOUND:.1f}."
    )
    return lines


REPORT = ReportWriter(_report, _summary, _NEEDS, {"variant": VARIANTS})
terminal_text, write_report = REPORT.terminal_text, REPORT.write
