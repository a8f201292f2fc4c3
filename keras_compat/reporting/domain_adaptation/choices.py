"""Section of the choices without labels, and of their distance to the best choice with labels."""

from __future__ import annotations

import operator
from collections.abc import Sequence

from keras_compat.reporting.records import (
    Record,
    grouped,
    select,
    summarise,
    unique,
    within_seeds,
)
from keras_compat.reporting.section import Section
from keras_compat.reporting.table import Table, percent

CHOSEN_BY = {
    "published": "nothing (as published)",
    "mutual_information": "mutual information",
    "loss": "held-out loss",
    "labels": "test labels",
}


def section(records: Sequence[Record]) -> Section | None:
    """Returns the section of the choices, or `None` if nothing was chosen.

    Example:

    >>> section([]) is None
    True
    """
    choices = choice_table(records)
    text = (
        "Learning rate, layers and number of rounds were chosen on held-out images of the "
        "target: by the auxiliary loss, or by the mutual information of the classifier's "
        "answers (high where each image gets a clear class and all classes are in use). "
        "`points below the best` is against the best of all that there were on the way, by "
        "test labels: no fair result, but what a choice could reach."
    )
    return None if choices is None else Section("Choosing without labels", [text, choices])


def choice_table(records: Sequence[Record]) -> Table | None:
    """Returns what was chosen by what, and how far it is from the best choice with labels.

    Returns:
        A row for each direction and criterion; `None` if nothing was chosen.

    Example:

    >>> keys = {"metric": "chosen_rounds", "source": "a", "target": "b", "seed": 0}
    >>> table = choice_table([{**keys, "chosen_by": "loss", "learning_rate": 1e-4,
    ...                        "layers": "all", "value": 40}])
    >>> table.rows[0][:3]
    ['a to b', 'held-out loss', '40 rounds at 0.0001']
    """
    measured = select(records, metric="accuracy")
    keys = ("source", "target", "chosen_by")
    accuracies = grouped(select(measured, network="adapted"), *keys)
    chosen = select(records, metric="chosen_rounds")
    choices = grouped(chosen, *keys)
    rows = []
    for direction in unique(chosen, "source", "target"):
        best = accuracies.get((*direction, "labels"), [])
        for name, label in CHOSEN_BY.items():
            if of_name := choices.get((*direction, name)):
                accuracy = accuracies.get((*direction, name), [])
                regret = within_seeds(operator.sub, best, accuracy)
                row = [" to ".join(direction), label, ", ".join(map(_choice, of_name))]
                rows.append([*row, percent(summarise(accuracy)), percent(regret)])
    header = ["direction", "chosen by", "choice, by seed", "accuracy", "points below the best"]
    shown = len(header) if measured else 3
    return Table(header[:shown], [row[:shown] for row in rows]) if rows else None


def layers_in_words(layers: str) -> str:
    """Returns the name of the layers that learn, as a reader sees it.

    Example:

    >>> layers_in_words("all"), layers_in_words("normalization")
    ('all layers', 'normalization')
    """
    return {"all": "all layers", "first_half": "first half"}.get(layers, layers)


def _choice(record: Record) -> str:
    if not record["value"]:
        return "not at all"
    layers = "" if record["layers"] == "all" else f", {layers_in_words(record['layers'])}"
    return f"{record['value']} rounds at {record['learning_rate']:g}{layers}"
