"""Report of transfer learning (Sec. 5.3, Fig. 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keras_compat.reporting import paper
from keras_compat.reporting.records import Record, over_seeds, select, unique
from keras_compat.reporting.report import Metrics, Report, ReportWriter, without_result
from keras_compat.reporting.shown import for_terminal
from keras_compat.reporting.transfer_learning import fine_tuning, ranking
from keras_compat.reporting.transfer_learning.names import METHODS

_FINE_TUNED = ("source", "target", "method", "seed")
_NEEDS = {
    "accuracy": (*_FINE_TUNED, "steps"),
    "own_accuracy": ("network", "method", "seed"),
    "chance": ("source", "target"),
    "steps_an_epoch": ("source", "target", "method"),
    **dict.fromkeys(("ranking_accuracy", "ranking_images", "fine_tuning_images"), _FINE_TUNED),
    **dict.fromkeys(ranking.SPENT, _FINE_TUNED),
    "failure": ("step", "message"),
}


def _report(metrics: Metrics) -> Report:
    records = metrics["results"]
    ranked = select(records, metric="ranking_accuracy")
    pairs = fine_tuning.pairs(records) or unique(ranked, "source", "target")
    title = ", ".join(map(" to ".join, pairs))
    low, high = (100 * value for value in paper.TRANSFER_LEARNING_RECOMBINED)
    return Report(
        f"Transfer learning: {title}" if title else "Transfer learning",
        [
            "A source and a target network were trained by themselves, each with a rotation head. "
            "Then the source's extractor was put on the target's head, tested as it is "
            "(`recombined`), and fine-tuned on the target (Sec. 5.3). With **RP** both were "
            "trained with the same rotation head, which had learnt on other data before and was "
            "frozen; with **IIW** they also started from the same weights: random ones, or, "
            "**pre-trained**, those of the extractor that the rotation head had learnt with. "
            "Networks without RP have a rotation head each. `independent` recombines such networks "
            "of different weights as they are; with a `reinitialized head` fine-tuning starts with "
            "a new head on their extractor, as transfer learning usually does; `pre-trained, new "
            "head` does so on the extractor of pre-trained IIW+RP. `own extractor` is the target "
            "network as it was trained. Figures are average class accuracy on the target's test "
            "images, in percent."
            + over_seeds(records, " ± is the sample standard deviation over {} seeds."),
            f"The paper reaches {low:.1f} to {high:.1f} % before fine-tuning, over its three "
            "targets, from ILSVRC-12 with a ResNet-56; its baselines are at chance there.",
            *without_result(records),
        ],
        [*fine_tuning.sections(records), *ranking.sections(records)],
    )


def _summary(records: Sequence[Record], config: Mapping[str, Any]) -> list[str]:
    parts = ranking.summary(records)
    for pair in fine_tuning.pairs(records):
        parts += [f"{' to '.join(pair)}: average class accuracy [%]{over_seeds(records)}"]
        parts += [fine_tuning.result_table(records, pair).text(14)]
    return parts


@for_terminal
def ranking_report(records: Sequence[Record]) -> str:
    """Returns the rankings of all targets that have several sources, for the terminal.

    Args:
        records: Records of a run, or those before any fine-tuning.

    Returns:
        Lines without a newline at the end; nothing where there is nothing to rank.

    Example:

    >>> ranking_report([])
    ''
    """
    return "\n\n".join(ranking.summary(records))


REPORT = ReportWriter(_report, _summary, _NEEDS, {"method": METHODS})
terminal_text, write_report = REPORT.terminal_text, REPORT.write
