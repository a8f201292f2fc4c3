"""Tables, report and figures of transfer learning (Sec. 5.3, Fig. 5)."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from keras_compat.errors import InputError
from keras_compat.reporting import figures, paper
from keras_compat.reporting.failed import failed_steps
from keras_compat.reporting.provenance import provenance
from keras_compat.reporting.records import Record, Summary, mean_by_seed, select, summarise, unique
from keras_compat.reporting.report_files import not_shown, over_seeds, write_report_files
from keras_compat.reporting.shown import for_markdown, for_pictures, for_terminal, picture_names
from keras_compat.reporting.table import MISSING, Table, number, percent

_METHODS = {
    "pretrained+rp": "pre-trained IIW+RP",
    "iiw+rp": "IIW+RP",
    "rp": "RP",
    "pretrained": "pre-trained IIW",
    "independent": "independent",
    "pretrained+reinitialized": "pre-trained, new head",
    "reinitialized": "reinitialized head",
}
# What the ranking of sources is made with: the first of these that was measured.
_RANKED_BY = ("pretrained+rp", "iiw+rp", "rp", "pretrained", "independent")
_ARROW = "\N{RIGHTWARDS ARROW}"
_X_LABEL = f"steps of fine-tuning (below: accuracy at once {_ARROW} after 1 epoch)"
_AFTER = ("1 epoch", "at the end")
_SPENT = {"ranking_seconds": "s before", "fine_tuning_seconds": "s of fine-tuning"}
_FINE_TUNED = ("source", "target", "method", "seed")
# Keys of the records that are shown, by metric.
_NEEDS = {
    "accuracy": (*_FINE_TUNED, "steps"),
    "own_accuracy": ("network", "method", "seed"),
    "chance": ("source", "target"),
    "steps_an_epoch": ("source", "target", "method"),
    **dict.fromkeys(("ranking_accuracy", "ranking_images", "fine_tuning_images"), _FINE_TUNED),
    **dict.fromkeys(_SPENT, _FINE_TUNED),
    "failure": ("step", "message"),
}
Pair = tuple[str, str]


def result_table(records: Sequence[Record], pair: Pair) -> Table:
    """Returns average class accuracy of a recombined network before and after fine-tuning.

    Args:
        records: the records of a run.
        pair: the names of source and target.

    Returns:
        A table in percent, a row a method.

    Example:

    >>> keys = {"source": "a", "target": "b", "method": "rp", "seed": 0}
    >>> records = [{"metric": "accuracy", **keys, "steps": s, "value": v}
    ...            for s, v in ((0, 0.5), (8, 0.7), (40, 0.8))]
    >>> records.append({"metric": "steps_an_epoch", **keys, "value": 8})
    >>> print(result_table(records, ("a", "b")).text(30))
        recombined  1 epoch  5 epochs  own extractor
    --  ----------  -------  --------  -------------
    RP        50.0     70.0      80.0              -
    """
    found = _of(select(records, metric="accuracy"), pair)
    epoch = _epoch(records, pair)
    last = max(unique(found, "steps"))
    places = {"recombined": 0, "1 epoch": epoch, f"{last / epoch:g} epochs": last}
    rows = []
    for method in _methods(found):
        of_method = select(found, method=method)
        cells = [summarise(select(of_method, steps=steps)) for steps in places.values()]
        own = select(records, metric="own_accuracy", network=pair[1], method=method)
        rows.append([_METHODS[method], *map(percent, [*cells, summarise(own)])])
    return Table(["", *places, "own extractor"], rows)


def ranking_table(records: Sequence[Record], target: str) -> Table | None:
    """Returns sources in the order of how the target's head does on their extractors.

    Args:
        records: the records of a run.
        target: the name of the target.

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
    ranked = _ranked(records, target)
    if len(ranked) < 2:
        return None
    method = _ranking_method(records, target)
    columns: dict[str, list[str]] = {
        "source": [source for source, _ in ranked],
        "before fine-tuning": [percent(before) for _, before in ranked],
        **{name: [] for name in (*_AFTER, *_SPENT.values())},
    }
    for source, _ in ranked:
        of_pair = _of(select(records, method=method), (source, target))
        found = select(of_pair, metric="accuracy")
        # A source that failed, or was not fine-tuned, has no figures.
        places = (
            (_figure(of_pair, "steps_an_epoch"), max(unique(found, "steps"))) if found else (-1, -1)
        )
        for name, steps in zip(_AFTER, places, strict=True):
            columns[name].append(percent(summarise(select(found, steps=steps))))
        for metric, name in _SPENT.items():
            columns[name].append(number(summarise(select(of_pair, metric=metric)), 1))
    measured = {n: cells for n, cells in columns.items() if set(cells) != {MISSING}}
    return Table(list(measured), list(zip(*measured.values(), strict=True)))


def ranking_text(records: Sequence[Record], target: str) -> str:
    """Returns what the ranking was made by, and how well it agreed with that after fine-tuning.

    Args:
        records: the records of a run.
        target: the name of the target, of at least two sources.

    Returns:
        A sentence or more.

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
    method = _ranking_method(records, target)
    keys = {"target": target, "method": method}
    images = _figure(select(records, **keys), "ranking_images")
    text = f"By {images:,} images for each source."
    correlations, regrets = [], []
    for seed in unique(select(records, metric="ranking_accuracy", **keys), "seed"):
        before = {r["source"]: r["value"] for r in _seed(records, "ranking_accuracy", seed, keys)}
        every = _seed(records, "accuracy", seed, keys)
        last = max(unique(every, "steps"), default=0)
        after = {r["source"]: r["value"] for r in select(every, steps=last)}
        sources = [source for source in before if source in after]
        if len(sources) < 2:
            continue
        one, other = ([values[s] for s in sources] for values in (before, after))
        if np.ptp(one) and np.ptp(other):
            correlations.append({"seed": seed, "value": float(spearmanr(one, other).statistic)})
        chosen = max(sources, key=before.__getitem__)
        regret = max(other) - after[chosen]
        regrets.append({"seed": seed, "value": regret})
    if not regrets:
        return text
    seen = _figure(select(records, **keys), "fine_tuning_images")
    return (
        f"{text} Fine-tuning saw {seen:,}. Spearman's correlation with the accuracy after it is "
        f"{number(summarise(correlations))}. The first choice is {percent(summarise(regrets))} "
        "points below the best."
    )


@for_terminal
def ranking_report(records: Sequence[Record]) -> str:
    """Returns the rankings of all targets that have several sources, for the terminal.

    Args:
        records: the records of a run, or those before any fine-tuning.

    Returns:
        Lines without a newline at the end; nothing where there is nothing to rank.

    Example:

    >>> ranking_report([])
    ''
    """
    parts = []
    for target in unique(select(records, metric="ranking_accuracy"), "target"):
        ranking = ranking_table(records, target)
        if ranking is not None:
            parts.append(f"Sources for the head of {target}, ranked before fine-tuning [%]")
            parts += [ranking.text(11), textwrap.fill(ranking_text(records, target), 100)]
    return "\n\n".join(parts)


@for_terminal
def terminal_text(records: Sequence[Record]) -> str:
    """Returns what the app prints last: rankings, and the accuracies of every pair.

    Args:
        records: the records of a run.

    Returns:
        Lines without a newline at the end.

    Example:

    >>> terminal_text([])
    ''
    """
    parts = [text] if (text := ranking_report(records)) else []
    for pair in _pairs(records):
        parts.append(f"{' to '.join(pair)}: average class accuracy [%]{over_seeds(records)}")
        parts.append(result_table(records, pair).text(14))
    return "\n\n".join(parts)


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
    # Transfer learning
    """
    records = metrics["results"]
    pairs = _pairs(records)
    title = ", ".join(" to ".join(pair) for pair in pairs or _ranked_pairs(records))
    low, high = (100 * value for value in paper.TRANSFER_LEARNING_RECOMBINED)
    parts = [
        f"# Transfer learning: {title}" if title else "# Transfer learning",
        "A source and a target network were trained by themselves, each with a rotation head. "
        "Then the source's extractor was put on the target's head, tested as it is "
        "(`recombined`), and fine-tuned on the target (Sec. 5.3). With **RP** both were trained "
        "with the same rotation head, which had learnt on other data before and was frozen; with "
        "**IIW** they also started from the same weights: random ones, or, **pre-trained**, those "
        "of the extractor that the rotation head had learnt with. Networks without RP have a "
        "rotation head each. `independent` recombines such networks of different weights as they "
        "are; with a `reinitialized head` fine-tuning starts with a new head on their extractor, "
        "as transfer learning usually does; `pre-trained, new head` does so on the extractor of "
        "pre-trained IIW+RP. `own extractor` is the target network as it was "
        "trained. Figures are average class accuracy on the target's test images, in percent."
        f"{over_seeds(records, ' ± is the sample standard deviation over {} seeds.')}",
        f"The paper reaches {low:.1f} to {high:.1f} % before fine-tuning, over its three targets, "
        "from ILSVRC-12 with a ResNet-56; its baselines are at chance there.",
        *failed_steps(records),
    ]
    for pair, name in zip(pairs, picture_names(pairs), strict=True):
        chance = _figure(_of(records, pair), "chance")
        parts += [
            f"## {' to '.join(pair)}",
            result_table(records, pair).markdown(),
            f"Chance is {100 * chance:.1f} %.",
            f"![{name}](figures/{name}.png)",
        ]
    for target in unique(select(records, metric="ranking_accuracy"), "target"):
        ranking = ranking_table(records, target)
        if ranking is not None:
            method = _METHODS[_ranking_method(records, target)]
            parts += [
                f"## Which source for {target}",
                f"Sources by the accuracy of the target's head on their extractors ({method}), on "
                "training images of the target, before any fine-tuning.",
                ranking.markdown(),
                ranking_text(records, target),
            ]
    parts += not_shown(records, _NEEDS, method=_METHODS)
    return "\n\n".join([*parts, *provenance(metrics)]) + "\n"


@for_pictures
def draw_figures(records: Sequence[Record], folder: str | os.PathLike[str]) -> list[Path]:
    """Draws accuracy over the steps of fine-tuning, for each source and target (Fig. 5).

    Args:
        records: the records of a run.
        folder: where the PNGs go; it is made if it is not there.

    Returns:
        The files.

    Raises:
        InputError: if Matplotlib is not installed.

    Example:

    >>> import tempfile
    >>> keys = {"source": "a", "target": "b", "method": "rp", "seed": 0}
    >>> records = [{"metric": "accuracy", **keys, "steps": s, "value": 0.5} for s in (0, 1, 2)]
    >>> records += [{"metric": m, **keys, "value": v}
    ...             for m, v in (("steps_an_epoch", 1), ("chance", 0.1))]
    >>> [path.name for path in draw_figures(records, tempfile.mkdtemp())]
    ['a_to_b.png']
    """
    drawn, pairs = [], _pairs(records)
    for pair, name in zip(pairs, picture_names(pairs), strict=True):
        found = _of(select(records, metric="accuracy"), pair)
        epoch = _epoch(records, pair)
        chance = _figure(_of(records, pair), "chance")
        path = Path(folder) / f"{name}.png"
        figures.draw_lines(
            path,
            [_curve(found, method, epoch) for method in _methods(found)],
            lines=[figures.Line("chance", chance, ":")],
            title=f"From {pair[0]} to {pair[1]}",
            subtitle=f"Average class accuracy; steps double from mark to mark{over_seeds(records)}",
            x_label=_X_LABEL,
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


def _curve(found: Sequence[Record], method: str, epoch: int) -> figures.Series:
    """Returns a curve whose legend tells accuracy at once and after an epoch, as Fig. 5 does."""
    of_method = select(found, method=method)
    places = sorted(unique(of_method, "steps"))
    points = {
        _place(steps, epoch, places[-1]): summarise(select(of_method, steps=steps))
        for steps in places
    }
    at_once, after = points.get("0"), points.get("1 epoch")
    label = _METHODS[method]
    if at_once is not None:
        label += f": {100 * at_once.mean:.1f}"
    if after is not None:
        label += f" {_ARROW} {100 * after.mean:.1f}"
    return figures.Series(label, points)


def _place(steps: int, epoch: int, last: int) -> str:
    if steps == epoch:
        return "1 epoch"
    return f"{steps / epoch:g} epochs" if steps == last else f"{steps:,}"


def _ranked(records: Sequence[Record], target: str) -> list[tuple[str, Summary]]:
    method = _ranking_method(records, target)
    found = select(records, metric="ranking_accuracy", target=target, method=method or MISSING)
    by_source = {
        source: summarise(mean_by_seed(select(found, source=source)))
        for source in unique(found, "source")
    }
    return sorted(by_source.items(), key=lambda item: -item[1].mean)


def _ranking_method(records: Sequence[Record], target: str) -> str | None:
    measured = unique(select(records, metric="ranking_accuracy", target=target), "method")
    return next((method for method in _RANKED_BY if method in measured), None)


def _seed(
    records: Sequence[Record], metric: str, seed: int, keys: Mapping[str, Any]
) -> list[Record]:
    return [r for r in select(records, metric=metric, **keys) if r["seed"] == seed]


def _epoch(records: Sequence[Record], pair: Pair) -> int:
    return _figure(_of(records, pair), "steps_an_epoch")


def _figure(records: Sequence[Record], metric: str) -> Any:
    """A figure that is the same for every seed and method."""
    found = select(records, metric=metric)
    if not found:
        raise InputError(
            f"no record tells {metric} of what was fine-tuned; expected the results of "
            "transfer_learning"
        )
    return found[0]["value"]


def _methods(records: Sequence[Record]) -> list[str]:
    measured = unique(records, "method")
    return [method for method in _METHODS if method in measured]


def _pairs(records: Sequence[Record]) -> list[Pair]:
    found = select(records, metric="accuracy")
    return list(dict.fromkeys((r["source"], r["target"]) for r in found))


def _ranked_pairs(records: Sequence[Record]) -> list[Pair]:
    found = select(records, metric="ranking_accuracy")
    return list(dict.fromkeys((r["source"], r["target"]) for r in found))


def _of(records: Sequence[Record], pair: Pair) -> list[Record]:
    return select(records, source=pair[0], target=pair[1])
