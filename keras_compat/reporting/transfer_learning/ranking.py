"""Sections of the ranking of sources before any fine-tuning (Sec. 5.3)."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr

from keras_compat.reporting.records import (
    Record,
    Summary,
    grouped,
    mean_by_seed,
    select,
    summarise,
    unique,
)
from keras_compat.reporting.section import Section
from keras_compat.reporting.table import Table, number, percent
from keras_compat.reporting.transfer_learning.names import METHODS, constant

# The ranking of sources is made with the first of these methods that was measured.
_RANKED_BY = ("pretrained+rp", "iiw+rp", "rp", "pretrained", "independent")
SPENT = {"ranking_seconds": "s before", "fine_tuning_seconds": "s of fine-tuning"}
"""Columns of the seconds that a source took, by metric."""


def sections(records: Sequence[Record]) -> list[Section]:
    """Returns a section for each target that has several sources.

    Example:

    >>> sections([])
    []
    """
    return [
        Section(
            f"Which source for {target}",
            [
                "Sources by the accuracy of the target's head on their extractors "
                f"({METHODS[ranking_method(records, target)]}), on training images of the target, "
                "before any fine-tuning.",
                table,
                ranking_text(records, target),
            ],
        )
        for target, table in _tables(records).items()
    ]


def summary(records: Sequence[Record]) -> list[str]:
    """Returns the rankings of all targets that have several sources, for the terminal.

    Example:

    >>> summary([])
    []
    """
    parts = []
    for target, table in _tables(records).items():
        parts.append(f"Sources for the head of {target}, ranked before fine-tuning [%]")
        parts += [table.text(11), textwrap.fill(ranking_text(records, target), 100)]
    return parts


def ranking_table(records: Sequence[Record], target: str) -> Table | None:
    """Returns sources in the order of how the target's head does on their extractors.

    Returns:
        A row a source; `None` if there are fewer than two. What fine-tuning brought, and took, is
        beside, where it was done.

    Example:

    >>> keys = {"target": "t", "method": "rp", "seed": 0}
    >>> records = [{"metric": "ranking_accuracy", **keys, "source": s, "value": v}
    ...            for s, v in (("a", 0.3), ("b", 0.5))]
    >>> print(ranking_table(records, "t").text(11))
              before
    source  fine-tuning
    ------  -----------
    b              50.0
    a              30.0
    """
    method = ranking_method(records, target)
    of_method = select(records, target=target, method=method) if method else []
    ranked = {
        source: summarise(mean_by_seed(found))
        for source, found in grouped(select(of_method, metric="ranking_accuracy"), "source").items()
    }
    if len(ranked) < 2:
        return None
    rows = []
    for source in sorted(ranked, key=lambda source: -ranked[source].mean):
        of_source = select(of_method, source=source)
        seconds = {
            name: number(summarise(select(of_source, metric=metric)), 1)
            for metric, name in SPENT.items()
        }
        once, end = _fine_tuned(of_source)
        rows.append(
            {
                "source": source,
                "before fine-tuning": percent(ranked[source]),
                "1 epoch": percent(once),
                "at the end": percent(end),
                **seconds,
            }
        )
    return Table.of_rows(rows)


def ranking_text(records: Sequence[Record], target: str) -> str:
    """Returns what the ranking was made by, and how well it agreed with that after fine-tuning.

    Args:
        target: Name of the target, of at least two sources.

    Example:

    >>> keys = {"target": "t", "method": "rp", "seed": 0}
    >>> records = []
    >>> for source, before, after in (("a", 0.3, 0.8), ("b", 0.5, 0.9)):
    ...     of = {**keys, "source": source}
    ...     records += [{"metric": "ranking_accuracy", **of, "value": before},
    ...                 {"metric": "ranking_images", **of, "value": 100},
    ...                 {"metric": "accuracy", **of, "steps": 8, "value": after},
    ...                 {"metric": "fine_tuning_images", **of, "value": 3200}]
    >>> print(ranking_text(records, "t"))
    By 100 images for each source. Fine-tuning saw 3,200. Spearman's correlation with the accuracy \
after it is 1.00. The first choice is 0.0 points below the best.
    """
    found = select(records, target=target, method=ranking_method(records, target))
    text = f"By {constant(found, 'ranking_images'):,} images for each source."
    correlations, regrets = [], []
    ranked, fine_tuned = select(found, metric="ranking_accuracy"), select(found, metric="accuracy")
    for seed, of_seed in grouped(ranked, "seed").items():
        before = {r["source"]: r["value"] for r in of_seed}
        by_steps = grouped(select(fine_tuned, seed=seed), "steps")
        last = by_steps[max(by_steps)] if by_steps else []
        after = {r["source"]: r["value"] for r in last}
        sources = [source for source in before if source in after]
        if len(sources) < 2:
            continue
        one, other = ([values[s] for s in sources] for values in (before, after))
        if np.ptp(one) and np.ptp(other):
            correlations.append({"seed": seed, "value": float(spearmanr(one, other).statistic)})
        regret = max(other) - after[max(sources, key=before.__getitem__)]
        regrets.append({"seed": seed, "value": regret})
    if not regrets:
        return text
    return (
        f"{text} Fine-tuning saw {constant(found, 'fine_tuning_images'):,}. Spearman's correlation "
        f"with the accuracy after it is {number(summarise(correlations))}. The first choice is "
        f"{percent(summarise(regrets))} points below the best."
    )


def ranking_method(records: Sequence[Record], target: str) -> str:
    """Returns the method that sources are ranked by; empty if none was measured.

    Example:

    >>> record = {"metric": "ranking_accuracy", "target": "t", "value": 0.3}
    >>> ranking_method([{**record, "method": method} for method in ("rp", "iiw+rp")], "t")
    'iiw+rp'
    """
    measured = unique(select(records, metric="ranking_accuracy", target=target), "method")
    return next((method for method in _RANKED_BY if method in measured), "")


def _tables(records: Sequence[Record]) -> dict[str, Table]:
    targets = unique(select(records, metric="ranking_accuracy"), "target")
    tables = {target: ranking_table(records, target) for target in targets}
    return {target: table for target, table in tables.items() if table is not None}


def _fine_tuned(records: Sequence[Record]) -> tuple[Summary | None, Summary | None]:
    """Returns accuracy after an epoch and at the end, where the source was fine-tuned."""
    by_steps = grouped(select(records, metric="accuracy"), "steps")
    if not by_steps:
        return None, None
    epoch = constant(records, "steps_an_epoch")
    return summarise(by_steps.get(epoch, [])), summarise(by_steps[max(by_steps)])
