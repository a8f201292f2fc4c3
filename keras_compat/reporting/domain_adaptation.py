"""Tables, report and figures of domain adaptation (Sec. 5.1, Table 2)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_compat.reporting import figures, paper
from keras_compat.reporting.failed import failed_steps
from keras_compat.reporting.provenance import provenance
from keras_compat.reporting.records import Record, Summary, mean_by_seed, select, summarise, unique
from keras_compat.reporting.report_files import not_shown, over_seeds, write_report_files
from keras_compat.reporting.shown import for_markdown, for_pictures, for_terminal, picture_names
from keras_compat.reporting.table import Table, percent

# Rows of Table 2: what the records of each say.
_ROWS = {
    "source network as it is": {"network": "as_it_is"},
    "with statistics of target images": {"network": "target_statistics"},
    "with test batch statistics": {"network": "test_statistics"},
    "adapted, as published": {"network": "adapted", "chosen_by": "published"},
    "adapted, chosen by mutual information": {
        "network": "adapted",
        "chosen_by": "mutual_information",
    },
    "adapted, chosen by held-out loss": {"network": "adapted", "chosen_by": "loss"},
    "the stored one, with statistics of target images": {"network": "adapted_target_statistics"},
    "adapted, best with labels": {"network": "adapted", "chosen_by": "labels"},
}
_CHOSEN = {
    "published": "nothing (as published)",
    "mutual_information": "mutual information",
    "loss": "held-out loss",
    "labels": "test labels",
}
_LOSS = figures.Scale("loss on held-out target images")
_INFORMATION = figures.Scale("mutual information [nats]")
# Figures by metric: the file, its scale, what it shows.
_CURVES = {
    "accuracy_on_the_way": ("accuracy", figures.PERCENT, "Average class accuracy on the target"),
    "held_out_loss": ("loss", _LOSS, "Auxiliary loss on held-out target images"),
    "mutual_information": (
        "information",
        _INFORMATION,
        "Mutual information of the classifier's answers",
    ),
}
_DIRECTION = ("source", "target", "seed")
# Keys of the records that are shown, by metric.
_NEEDS = {
    "accuracy": (*_DIRECTION, "network"),
    "chosen_rounds": (*_DIRECTION, "chosen_by", "layers", "learning_rate"),
    **dict.fromkeys(_CURVES, (*_DIRECTION, "layers", "learning_rate", "rounds")),
    "source_accuracy": ("source",),
    "failure": ("step", "message"),
}
Direction = tuple[str, str]


def result_table(records: Sequence[Record]) -> Table | None:
    """Returns average class accuracy on the target, as Table 2 has it.

    Args:
        records: the records of a run.

    Returns:
        A table in percent, a row a network, a column a direction, and their average; `None` if the
        target has no labels. On CIFAR-10 and STL-10 the published figures are beside ours.

    Example:

    >>> keys = {"metric": "accuracy", "source": "a", "target": "b", "seed": 0}
    >>> table = result_table([{**keys, "network": "as_it_is", "value": 0.5}])
    >>> print(table.text(30))
                             a to b
    -----------------------  ------
    source network as it is    50.0
    """
    found = select(records, metric="accuracy")
    if not found:
        return None
    directions = _directions(found)
    rows = []
    for name, keys in _ROWS.items():
        of_row = select(found, **keys)
        if of_row:
            cells = [summarise(_of(of_row, direction)) for direction in directions]
            if len(directions) > 1:
                cells.append(summarise(mean_by_seed(of_row)))
            rows.append([name, *map(percent, cells)])
    rows += _published_rows(directions)
    header = ["", *(f"{source} to {target}" for source, target in directions)]
    return Table([*header, "average"] if len(directions) > 1 else header, rows)


def published_table() -> Table:
    """Returns the paper's Table 2 and a later result.

    Returns:
        A table in percent.

    Example:

    >>> published_table().rows[-1][1:]
    ['81.7', '77.8', '79.7']
    """
    rows = [
        [name, *(f"{100 * value:.1f}" for value in values)]
        for name, values in {
            **paper.DOMAIN_ADAPTATION,
            **paper.DOMAIN_ADAPTATION_LATER,
        }.items()
    ]
    return Table(["published", "CIFAR-10 to STL-10", "STL-10 to CIFAR-10", "average"], rows)


def choice_table(records: Sequence[Record]) -> Table | None:
    """Returns what was chosen by what, and how far it is from the best choice with labels.

    Args:
        records: the records of a run.

    Returns:
        A row for each direction and criterion; `None` if nothing was chosen.

    Example:

    >>> keys = {"metric": "chosen_rounds", "source": "a", "target": "b", "seed": 0}
    >>> table = choice_table([{**keys, "chosen_by": "loss", "learning_rate": 1e-4,
    ...                        "layers": "all", "value": 40}])
    >>> table.rows[0][:3]
    ['a to b', 'held-out loss', '40 rounds at 0.0001']
    """
    chosen = select(records, metric="chosen_rounds")
    labelled = bool(select(records, metric="accuracy"))
    rows = []
    for direction in _directions(chosen):
        best = _of(
            select(records, metric="accuracy", network="adapted", chosen_by="labels"), direction
        )
        for name, label in _CHOSEN.items():
            of_name = _of(select(chosen, chosen_by=name), direction)
            if not of_name:
                continue
            keys = {"metric": "accuracy", "network": "adapted", "chosen_by": name}
            accuracy = _of(select(records, **keys), direction)
            choices = ", ".join(_choice(record) for record in of_name)
            measured = [percent(summarise(accuracy)), percent(_regret(best, accuracy))]
            rows.append([" to ".join(direction), label, choices, *(measured if labelled else [])])
    header = ["direction", "chosen by", "choice, by seed"]
    if labelled:
        header += ["accuracy", "points below the best"]
    return Table(header, rows) if rows else None


@for_terminal
def terminal_text(records: Sequence[Record]) -> str:
    """Returns what the app prints last: what was chosen, and the accuracies.

    Args:
        records: the records of a run.

    Returns:
        Lines without a newline at the end.

    Example:

    >>> print(terminal_text([]))
    Nothing was measured.
    """
    parts = []
    choices, results = choice_table(records), result_table(records)
    if choices is not None:
        parts += ["What was chosen without labels, and with", choices.text(14)]
    if results is not None:
        about = f"Average class accuracy on the target [%]{over_seeds(records)}"
        parts += [about, results.text(14)]
    return "\n\n".join(parts) or "Nothing was measured."


@for_markdown
def report_text(metrics: Mapping[str, Any]) -> str:
    """Returns the report in Markdown, made from a `metrics.json` alone.

    Args:
        metrics: as `load_metrics` returns it.

    Returns:
        The content of `report.md`; its pictures are in the folder `figures`.

    Example:

    >>> text = report_text({"config": {}, "versions": {}, "hardware": {}, "data": {},
    ...                     "durations_s": {}, "results": []})
    >>> print(text.splitlines()[0])
    # Domain adaptation
    """
    records = metrics["results"]
    directions = _directions(records)
    title = ", ".join(f"{source} to {target}" for source, target in directions)
    parts = [
        f"# Domain adaptation: {title}" if title else "# Domain adaptation",
        "A network was trained on the labelled images of a source, with auxiliary heads for tasks "
        "that need no labels. These heads and the classifier were then frozen, and the feature "
        "extractor alone learnt the auxiliary tasks on the unlabelled training images of a target "
        "(Sec. 5.1). Labels of the target were used to leave out images of classes that the source "
        "does not have, as the literature does, and to test, among the common classes. "
        f"{_held_out(metrics['config'])}Figures are **average class accuracy** on the target's "
        "test images, in percent."
        + (over_seeds(records, " ± is the sample standard deviation over {} seeds.") or ""),
        *failed_steps(records),
    ]
    results = result_table(records)
    if results is not None:
        parts += ["## Accuracy (Table 2)", results.markdown()]
        published = "What was published is of a WRN-28 of width 16 or of networks like it"
        ours = metrics["config"].get("architecture", "another network")
        if all(map(_on_papers_data, directions)):
            parts.append(f"{published}; here it is {ours}, and its own count of rounds.")
        else:
            parts += [f"{published}, on other data; here it is {ours}:"]
            parts.append(published_table().markdown())
        parts.append(
            "`as it is`: normalization with the moving statistics of training. `statistics of "
            "target images`: moving statistics taken again over unlabelled training images of the "
            "target, with which images can be classified one by one. All others use the statistics "
            "of the test batch."
        )
    choices = choice_table(records)
    if choices is not None:
        parts += [
            "## Choosing without labels",
            "Learning rate, layers and number of rounds were chosen on held-out images of the "
            "target: by the auxiliary loss, or by the mutual information of the classifier's "
            "answers (high where each image gets a clear class and all classes are in use). "
            "`points below the best` is against the best of all that there were on the way, by "
            "test labels: no fair result, but what a choice could reach.",
            choices.markdown(),
        ]
    pictures = [name for name, *_ in _pictures(records)]
    if pictures:
        parts += ["## On the way", *(f"![{name}](figures/{name}.png)" for name in pictures)]
    networks = {keys["network"] for keys in _ROWS.values()}
    parts += not_shown(records, _NEEDS, network=networks, chosen_by=_CHOSEN)
    return "\n\n".join([*parts, *provenance(metrics)]) + "\n"


@for_pictures
def draw_figures(records: Sequence[Record], folder: str | os.PathLike[str]) -> list[Path]:
    """Draws accuracy, loss and mutual information over the rounds of adaptation.

    Args:
        records: the records of a run.
        folder: where the PNGs go; it is made if it is not there.

    Returns:
        The files.

    Raises:
        InputError: if Matplotlib is not installed.

    Example:

    >>> import tempfile
    >>> keys = {"metric": "held_out_loss", "source": "a", "target": "b", "layers": "all",
    ...         "learning_rate": 1e-4, "seed": 0}
    >>> records = [{**keys, "rounds": r, "value": 1 / (1 + r)} for r in (0, 20, 40)]
    >>> [path.name for path in draw_figures(records, tempfile.mkdtemp())]
    ['a_to_b_loss.png']
    """
    drawn = []
    for name, found, scale, title, direction in _pictures(records):
        path = Path(folder) / f"{name}.png"
        figures.draw_lines(
            path,
            _curves(found),
            title=title,
            subtitle=f"{' to '.join(direction)}{over_seeds(found)}",
            x_label="rounds of adaptation",
            scale=scale,
            from_zero=False,
        )
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
        InputError: if Matplotlib is not installed.

    Example:

    >>> import tempfile
    >>> metrics = {"config": {}, "versions": {}, "hardware": {}, "data": {}, "durations_s": {},
    ...            "results": []}
    >>> [path.name for path in write_report(metrics, tempfile.mkdtemp())]
    ['report.md']
    """
    return write_report_files(metrics, folder, report_text, draw_figures, _NEEDS)


def _pictures(
    records: Sequence[Record],
) -> list[tuple[str, list[Record], figures.Scale, str, Direction]]:
    """Returns each figure's name, records, scale, title and direction."""
    found = []
    directions = _directions(records)
    for direction, name in zip(directions, picture_names(directions), strict=True):
        for metric, (what, scale, title) in _CURVES.items():
            of_curve = _of(select(records, metric=metric), direction)
            if of_curve:
                found.append((f"{name}_{what}", of_curve, scale, title, direction))
    return found


def _curves(records: Sequence[Record]) -> list[figures.Series]:
    """Returns a curve for each way to adapt, over rounds, averaged over seeds."""
    several = len(unique(records, "layers")) > 1
    curves = []
    for layers in unique(records, "layers"):
        for rate in unique(records, "learning_rate"):
            of_curve = select(records, layers=layers, learning_rate=rate)
            points = {
                rounds: summarise(select(of_curve, rounds=rounds))
                for rounds in sorted(unique(of_curve, "rounds"))
            }
            label = f"learning rate {rate:g}{f', {_words(layers)}' if several else ''}"
            if points:
                curves.append(figures.Series(label, points))
    return curves


def _words(layers: str) -> str:
    return {"all": "all layers", "first_half": "first half"}.get(layers, layers)


def _directions(records: Sequence[Record]) -> list[Direction]:
    found = [(r["source"], r["target"]) for r in records if "source" in r and "target" in r]
    return list(dict.fromkeys(found))


def _of(records: Sequence[Record], direction: Direction) -> list[Record]:
    return select(records, source=direction[0], target=direction[1])


def _on_papers_data(direction: Direction) -> bool:
    """Whether source and target are CIFAR-10 and STL-10, in either order."""
    one, other = direction
    there = paper.is_cifar10(one) and paper.is_stl10(other)
    return there or (paper.is_stl10(one) and paper.is_cifar10(other))


def _published_rows(directions: Sequence[Direction]) -> list[list[str]]:
    if not all(map(_on_papers_data, directions)):
        return []
    columns = [0 if paper.is_cifar10(source) else 1 for source, _ in directions]
    columns += [2] if len(directions) > 1 else []
    published = {**paper.DOMAIN_ADAPTATION, **paper.DOMAIN_ADAPTATION_LATER}
    return [
        [name, *(f"{100 * values[column]:.1f}" for column in columns)]
        for name, values in published.items()
    ]


def _choice(record: Record) -> str:
    if not record["value"]:
        return "not at all"
    layers = "" if record["layers"] == "all" else f", {_words(record['layers'])}"
    return f"{record['value']} rounds at {record['learning_rate']:g}{layers}"


def _regret(best: Sequence[Record], chosen: Sequence[Record]) -> Summary | None:
    by_seed = {record["seed"]: record["value"] for record in best}
    differences = [
        {"seed": record["seed"], "value": by_seed[record["seed"]] - record["value"]}
        for record in chosen
        if record["seed"] in by_seed
    ]
    return summarise(differences)


def _held_out(config: Mapping[str, Any]) -> str:
    if "held_out" not in config:
        return ""
    return (
        f"{100 * config['held_out']:g} % of the target's training images were held out to choose "
        "by, and nothing learnt from them, in the published way either. "
    )
