"""Tables, report and figures of the classifier transfer (Sec. 5.2, Fig. 4; B.7, Fig. 11)."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_compat.errors import InputError
from keras_compat.reporting import figures, paper
from keras_compat.reporting.failed import failed_steps
from keras_compat.reporting.provenance import provenance
from keras_compat.reporting.records import Record, Summary, select, summarise, unique
from keras_compat.reporting.report_files import not_shown, write_report_files
from keras_compat.reporting.shown import for_markdown, for_pictures, for_terminal
from keras_compat.reporting.table import MISSING, Table, percent

VARIANTS = {"frozen_extractor": "extractor frozen", "frozen_rotation": "rotation head frozen"}

# What a record means that lacks one of these keys.
_DEFAULTS = {
    "stage": "updated",
    "subset": "all",
    "variant": "frozen_extractor",
    "statistics": "batch",
    "runtime": "keras",
}
_HEADLINES = ("recombination_accuracy", "reference_accuracy")
_OF_EXTRACTORS = (
    "recombination_accuracy",
    "reference_accuracy",
    "accuracy",
    "accuracy_difference",
    "max_logit_difference",
    "upper_bound",
)
# Keys of the records that are shown, by metric.
_NEEDS = {
    **dict.fromkeys(_OF_EXTRACTORS, ("extractor",)),
    **dict.fromkeys(("lower_bound", "chance", "peak_memory_gib"), ()),
    "failure": ("step", "message"),
}


def result_table(records: Sequence[Record], variant: str = "frozen_extractor") -> Table:
    """Returns the accuracies of each extractor with the updated head, beside the bounds.

    Args:
        records: the records of one data set.
        variant: `"frozen_extractor"` (Sec. 5.2) or `"frozen_rotation"` (B.7).

    Returns:
        A table in percent, a row an extractor, the reference with a star. Columns for which there
        are no records are left out; the paper's figures come last, named as CIFAR-10's when ours
        are of other data.

    Raises:
        InputError: if there are no records of the variant, or they are of several data sets.

    Example:

    >>> keys = {"dataset": "cifar10", "extractor": "resnet56", "head": "mobilenet_v2", "seed": 0}
    >>> table = result_table([{"metric": "recombination_accuracy", **keys, "value": 0.9}])
    >>> print(table.text(30))
    extractor  all classes  paper  paper: upper bound
    ---------  -----------  -----  ------------------
    resnet56          90.0   91.7                94.6
    """
    dataset = _dataset(records)
    extractors = _extractors(records, variant)
    reference = _reference(records, variant)
    published = (
        "paper" if paper.is_cifar10(dataset) else f"{paper.CLASSIFIER_TRANSFER_DATASET} paper"
    )
    # B.7 states no figures: its plot alone has them.
    recombined = paper.CLASSIFIER_TRANSFER_RECOMBINED if variant == "frozen_extractor" else {}
    columns = {
        "old classes, before": [_before(records, e, variant) for e in extractors],
        "old classes": [_accuracy(records, e, variant, subset="old") for e in extractors],
        "new classes": [_accuracy(records, e, variant, subset="new") for e in extractors],
        "all classes": [_accuracy(records, e, variant) for e in extractors],
        "upper bound": [_upper_bound(records, e, "original") for e in extractors],
        "upper bound, changed architecture": [
            _upper_bound(records, e, "changed") for e in extractors
        ],
        published: [_published(e, recombined) for e in extractors],
        f"{published}: upper bound": [
            _published(e, paper.CLASSIFIER_TRANSFER_UPPER_BOUND) for e in extractors
        ],
    }
    columns = {name: cells for name, cells in columns.items() if any(cells)}
    rows = [
        [f"{e} *" if e == reference else e, *(percent(c[i]) for c in columns.values())]
        for i, e in enumerate(extractors)
    ]
    return Table(["extractor", *columns], rows)


def deployment_table(records: Sequence[Record], variant: str = "frozen_extractor") -> Table | None:
    """Returns the accuracies on all classes on the way from training to a deployed file.

    Args:
        records: the records of one data set.
        variant: `"frozen_extractor"` or `"frozen_rotation"`.

    Returns:
        A table in percent, a row an extractor; `None` if nothing was measured but Keras with batch
        statistics.

    Raises:
        InputError: if there are no records of the variant.

    Example:

    >>> keys = {"dataset": "digits", "extractor": "resnet8", "seed": 0}
    >>> table = deployment_table([
    ...     {"metric": "recombination_accuracy", **keys, "value": 0.93},
    ...     {"metric": "accuracy", **keys, "statistics": "moving", "value": 0.92}])
    >>> print(table.text(20))
               Keras, batch  Keras, moving
    extractor    statistics     statistics
    ---------  ------------  -------------
    resnet8            93.0           92.0
    """
    extractors = _extractors(records, variant)
    columns = {
        "Keras, moving statistics": {"statistics": "moving"},
        "SavedModel": {"statistics": "moving", "runtime": "saved_model"},
        "LiteRT": {"statistics": "moving", "runtime": "litert"},
    }
    found = {
        name: cells
        for name, keys in columns.items()
        if any(cells := [_accuracy(records, e, variant, **keys) for e in extractors])
    }
    if not found:
        return None
    found = {
        "Keras, batch statistics": [_accuracy(records, e, variant) for e in extractors],
        **found,
    }
    texts = {name: [percent(cell) for cell in cells] for name, cells in found.items()}
    differences = [_largest_difference(records, e, variant) for e in extractors]
    if any(d != MISSING for d in differences):
        texts["LiteRT: largest logit difference"] = differences
    rows = [[e, *(cells[i] for cells in texts.values())] for i, e in enumerate(extractors)]
    return Table(["extractor", *texts], rows)


@for_terminal
def terminal_text(records: Sequence[Record]) -> str:
    """Returns what an app prints last: the tables of each variant, and the bounds.

    Args:
        records: the records of one data set.

    Returns:
        Lines without a newline at the end.

    Raises:
        InputError: if there is nothing to show.

    Example:

    >>> keys = {"dataset": "digits", "extractor": "resnet8", "seed": 0}
    >>> records = [{"metric": "recombination_accuracy", **keys, "value": 0.93}]
    >>> print(terminal_text(records).splitlines()[0])
    Accuracy with the updated head [%], digits, extractor frozen
    """
    parts = []
    for variant in _variants(records):
        about = f"{_dataset(records)}, {VARIANTS[variant]}{_seeds(records, variant)}"
        parts.append(f"Accuracy with the updated head [%], {about}")
        parts.append(result_table(records, variant).text())
        deployed = deployment_table(records, variant)
        if deployed is not None:
            parts.append(f"On all classes, from training to deployed files [%], {about}")
            parts.append(deployed.text())
    notes = [textwrap.fill(line, 100, subsequent_indent="  ") for line in _notes(records)]
    return "\n\n".join([*parts, "\n".join(notes)])


@for_markdown
def report_text(metrics: Mapping[str, Any]) -> str:
    """Returns the report in Markdown, made from a `metrics.json` alone.

    Args:
        metrics: as `load_metrics` returns it.

    Returns:
        The content of `report.md`; its pictures are in the folder `figures`.

    Raises:
        InputError: if there is nothing to show.

    Example:

    >>> keys = {"dataset": "digits", "extractor": "resnet8", "seed": 0}
    >>> records = [{"metric": "recombination_accuracy", **keys, "value": 0.93}]
    >>> text = report_text({"config": {}, "versions": {}, "hardware": {}, "data": {},
    ...                     "durations_s": {}, "results": records})
    >>> print(text.splitlines()[0])
    # Classifier transfer on digits
    """
    records = metrics["results"]
    dataset = _dataset(records)
    parts = [
        f"# Classifier transfer on {dataset}",
        "Extractors of several architectures were trained together with one head on the first "
        "classes only. The head was then extended to all classes and fine-tuned on one extractor, "
        "the reference. Here it is recombined with every extractor, with no further training. "
        "Accuracies are in percent, on the test images; `old classes` are the first ones, `before` "
        "is before the head was updated.",
        *failed_steps(records),
    ]
    for variant in _variants(records):
        parts.append(f"## Updated head, {VARIANTS[variant]}{_seeds(records, variant)}")
        parts.append(result_table(records, variant).markdown())
        deployed = deployment_table(records, variant)
        if deployed is not None:
            parts.append(f"### From training to deployed files, {VARIANTS[variant]}")
            parts.append(deployed.markdown())
    parts.append("\n".join(f"- {line}" for line in _notes(records)))
    parts += [f"![{name}](figures/{name}.png)" for name in _pictures(records)]
    parts += not_shown(records, _NEEDS, variant=VARIANTS)
    parts += provenance(metrics)
    return "\n\n".join(parts) + "\n"


@for_pictures
def draw_figures(records: Sequence[Record], folder: str | os.PathLike[str]) -> list[Path]:
    """Draws what the records allow of the bar charts of Fig. 4 and Fig. 11.

    Args:
        records: the records of one data set.
        folder: where the PNGs go; it is made if it is not there.

    Returns:
        The files: `figure4.png`, and `figure11.png` if there are records of both variants.

    Raises:
        InputError: if there is nothing to draw, or Matplotlib is not installed.

    Example:

    >>> import tempfile
    >>> keys = {"dataset": "digits", "extractor": "resnet8", "seed": 0}
    >>> records = [{"metric": "recombination_accuracy", **keys, "value": 0.93}]
    >>> [path.name for path in draw_figures(records, tempfile.mkdtemp())]
    ['figure4.png']
    """
    variants = _variants(records)
    drawn = [Path(folder) / f"{name}.png" for name in _pictures(records)]
    _draw_transfer(records, variants[0], drawn[0])
    if len(variants) > 1:
        _draw_variants(records, variants, drawn[1])
    return drawn


def write_report(metrics: Mapping[str, Any], folder: str | os.PathLike[str]) -> list[Path]:
    """Writes `report.md` and `figures/*.png`, made from a `metrics.json` alone.

    Args:
        metrics: as `load_metrics` returns it.
        folder: where they go; it is made if it is not there.

    Returns:
        The files written, the report first.

    Raises:
        InputError: if there is nothing to show, or Matplotlib is not installed.

    Example:

    >>> import tempfile
    >>> keys = {"dataset": "digits", "extractor": "resnet8", "seed": 0}
    >>> records = [{"metric": "recombination_accuracy", **keys, "value": 0.93}]
    >>> metrics = {"config": {}, "versions": {}, "hardware": {}, "data": {}, "durations_s": {},
    ...            "results": records}
    >>> [path.name for path in write_report(metrics, tempfile.mkdtemp())]
    ['report.md', 'figure4.png']
    """
    return write_report_files(metrics, folder, report_text, draw_figures, _NEEDS)


def display_name(architecture: str) -> str:
    """Returns the name of an architecture as the papers write it.

    Args:
        architecture: a name such as `"wide_resnet56"`.

    Returns:
        Such as `"Wide ResNet-56"`.

    Example:

    >>> display_name("wide_resnet56"), display_name("mobilenet_v2_small")
    ('Wide ResNet-56', 'MobileNet V2 small')
    >>> display_name("resnet:depth=20")
    'ResNet depth=20'
    """
    names = {"wide_resnet": "Wide ResNet", "resnet": "ResNet", "mobilenet_v2": "MobileNet V2"}
    family = paper.family(architecture)
    rest = architecture[len(family) :]
    rest = re.sub(r"^(\d)", r"-\1", re.sub(r"[_:,]+", " ", rest))
    return names.get(family, family) + rest


def _pictures(records: Sequence[Record]) -> list[str]:
    """The names of the pictures: the second one is of both variants."""
    return ["figure4", "figure11"][: len(_variants(records))]


def _draw_transfer(records: Sequence[Record], variant: str, path: Path) -> None:
    extractors = _extractors(records, variant)
    recombined, bound = "recombined with the updated head", "upper bound"
    bars = [
        figures.Bars(recombined, [_accuracy(records, e, variant) for e in extractors], figures.BLUE)
    ]
    on_papers_data = paper.is_cifar10(_dataset(records))
    if on_papers_data and variant == "frozen_extractor":
        bars.append(_paper_bars(recombined, extractors, figures.BLUE))
    bounds = [_upper_bound(records, e, "original") for e in extractors]
    bars.append(figures.Bars(bound, bounds, figures.ORANGE))
    if on_papers_data:
        bars.append(_paper_bars(bound, extractors, figures.ORANGE))
    changed = [_upper_bound(records, e, "changed") for e in extractors]
    bars.append(figures.Bars(f"{bound}, changed architecture", changed, figures.SKY))
    figures.draw_bars(
        path,
        _group_names(records, variant),
        bars,
        _bound_lines(records),
        title=f"One updated head on every extractor, {_dataset(records)}",
        subtitle=f"{VARIANTS[variant]}{_seeds(records, variant)}",
    )


def _draw_variants(records: Sequence[Record], variants: Sequence[str], path: Path) -> None:
    extractors = _extractors(records, variants[0])
    colours = dict(zip(VARIANTS, (figures.BLUE, figures.VERMILION), strict=True))
    bars = [
        figures.Bars(VARIANTS[v], [_accuracy(records, e, v) for e in extractors], colours[v])
        for v in variants
    ]
    if paper.is_cifar10(_dataset(records)):
        label = VARIANTS["frozen_extractor"]
        bars.insert(1, _paper_bars(label, extractors, colours["frozen_extractor"]))
    figures.draw_bars(
        path,
        _group_names(records, variants[0]),
        bars,
        _bound_lines(records),
        title=f"What is frozen while the head is updated, {_dataset(records)}",
        subtitle=_seeds(records, variants[0]).removeprefix(", "),
    )


def _paper_bars(label: str, extractors: Sequence[str], colour: str) -> figures.Bars:
    values = (
        paper.CLASSIFIER_TRANSFER_UPPER_BOUND
        if label == "upper bound"
        else paper.CLASSIFIER_TRANSFER_RECOMBINED
    )
    published = [_published(e, values) for e in extractors]
    return figures.Bars(f"{label} (paper)", published, colour, published=True)


def _bound_lines(records: Sequence[Record]) -> list[figures.Line]:
    lines = []
    for metric, label, style in (
        ("lower_bound", "lower bound", "--"),
        ("chance", "chance", ":"),
    ):
        summary = _constant(records, metric)
        if summary is not None:
            lines.append(figures.Line(label, summary.mean, style))
    return lines


def _group_names(records: Sequence[Record], variant: str) -> list[str]:
    reference = _reference(records, variant)
    return [
        display_name(e) + ("\n(reference)" if e == reference else "")
        for e in _extractors(records, variant)
    ]


def _notes(records: Sequence[Record]) -> list[str]:
    """What the tables' marks mean, the bounds that are not an extractor's, and the paper's."""
    lines = []
    if any(_reference(records, v) for v in _variants(records)):
        lines.append("The star marks the reference, the extractor on which the head was updated.")
    lower, chance = _constant(records, "lower_bound"), _constant(records, "chance")
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


def _dataset(records: Sequence[Record]) -> str:
    datasets = unique(records, "dataset")
    if len(datasets) > 1:
        raise InputError(
            f"the records are of the data sets {', '.join(datasets)}; expected those of one data "
            "set, so make a report of each"
        )
    return datasets[0] if datasets else "unnamed data"


def _variants(records: Sequence[Record]) -> list[str]:
    """The variants that have headline figures, the paper's main one first."""
    found = [v for v in VARIANTS if _headline_records(records, v)]
    if not found:
        raise InputError(
            f"no record has the metric {' or '.join(_HEADLINES)}; expected the results of "
            "classifier_transfer"
        )
    return found


def _headline_records(records: Sequence[Record], variant: str, **keys: Any) -> list[Record]:
    keys = {**_DEFAULTS, "variant": variant, **keys}
    return [r for m in _HEADLINES for r in select(records, _DEFAULTS, metric=m, **keys)]


def _extractors(records: Sequence[Record], variant: str) -> tuple[str, ...]:
    """The extractors in the order in which the run measured them."""
    names = unique(_headline_records(records, variant), "extractor")
    if not names:
        raise InputError(f"no record of the variant {variant!r}; expected one of {list(VARIANTS)}")
    order = unique(records, "extractor")
    return tuple(sorted(names, key=order.index))


def _reference(records: Sequence[Record], variant: str) -> str | None:
    keys = {**_DEFAULTS, "variant": variant}
    found = unique(select(records, _DEFAULTS, metric="reference_accuracy", **keys), "extractor")
    return found[0] if found else None


def _accuracy(
    records: Sequence[Record], extractor: str, variant: str, **keys: Any
) -> Summary | None:
    """The headline figure with these keys, or the plain accuracy where there is none."""
    found = _headline_records(records, variant, extractor=extractor, **keys)
    if not found:
        wanted = {**_DEFAULTS, "variant": variant, "extractor": extractor, **keys}
        found = select(records, _DEFAULTS, metric="accuracy", **wanted)
    return summarise(found)


def _before(records: Sequence[Record], extractor: str, variant: str) -> Summary | None:
    """Accuracy of the first-stage network, which knows no classes but the old ones."""
    for subset in ("old", "all"):
        wanted = {**_DEFAULTS, "variant": variant, "stage": "initial", "subset": subset}
        found = select(records, _DEFAULTS, metric="accuracy", extractor=extractor, **wanted)
        if found:
            return summarise(found)
    return None


def _upper_bound(records: Sequence[Record], extractor: str, architecture: str) -> Summary | None:
    defaults = {**_DEFAULTS, "architecture": "original"}
    keys = {"architecture": architecture, "extractor": extractor, "subset": "all"}
    found = select(records, defaults, metric="upper_bound", statistics="batch", **keys)
    return summarise(found)


def _constant(records: Sequence[Record], metric: str) -> Summary | None:
    """A figure of the data, the same whatever the seed."""
    found = select(records, metric=metric)
    return Summary(found[0]["value"], 0.0, 1) if found else None


def _largest_difference(records: Sequence[Record], extractor: str, variant: str) -> str:
    defaults = {**_DEFAULTS, "runtime": "litert"}
    keys = {"variant": variant, "runtime": "litert", "extractor": extractor}
    found = select(records, defaults, metric="max_logit_difference", **keys)
    return f"{max(r['value'] for r in found):.1e}" if found else MISSING


def _published(extractor: str, values: Mapping[str, float]) -> Summary | None:
    value = values.get(paper.family(extractor))
    return None if value is None else Summary(value, 0.0, 1)


def _seeds(records: Sequence[Record], variant: str) -> str:
    seeds = len(unique(_headline_records(records, variant), "seed"))
    return f", mean and standard deviation over {seeds} seeds" if seeds > 1 else ""
