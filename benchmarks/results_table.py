"""Writes the tables of all committed results: `results/README.md`, and the short one of the README.

    python -m benchmarks.results_table

Run it after a file under `results/` has changed. A test fails until then.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from keras_compat.files import write_text
from keras_compat.reporting import paper
from keras_compat.reporting.classifier_transfer.updated_head import UpdatedHead
from keras_compat.reporting.domain_adaptation.accuracy import ROWS
from keras_compat.reporting.records import (
    Record,
    Summary,
    grouped,
    mean_by_seed,
    select,
    summarise,
    unique,
)
from keras_compat.reporting.table import MISSING, Table, percent
from keras_compat.reporting.transfer_learning.names import METHODS

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
README = ROOT / "README.md"
MARKS = ("<!-- results -->\n", "<!-- /results -->\n")

Metrics = Mapping[str, Any]


class Figure(NamedTuple):
    """One figure of a run: its text, and the parts of the run that it was measured on."""

    text: str
    parts: tuple[str, ...] = ()


class Shown(NamedTuple):
    """One row of the first table: the paper's figure, and the runs that have one of ours."""

    experiment: str
    label: str
    paper: str
    in_readme: bool = False


# Runs that stand beside the paper, on photographs and on digits.
BESIDE = {
    "classifier_transfer": ("cpu-cifar10", "demo-digits"),
    "compatibility_analysis": ("cpu-cifar10-stl10_9", "demo-digits-mnist5k"),
    "domain_adaptation": ("cpu-cifar10-stl10_9", "demo-mnist5k-digits"),
    "transfer_learning": (
        "cpu-tinyimagenet32-cifar10-stl10_9-cifar100-stage2",
        "demo-mnist5k-digits",
    ),
}
TITLES = {
    "classifier_transfer": "Classifier transfer (Sec. 5.2)",
    "compatibility_analysis": "Compatibility (Sec. 4)",
    "domain_adaptation": "Domain adaptation (Sec. 5.1)",
    "transfer_learning": "Transfer learning (Sec. 5.3)",
}
_FAMILIES = {"resnet": "ResNet", "mobilenet_v2": "MobileNet V2"}
_METHODS = {
    "independent": "independent networks, recombined",
    "iiw": "IIW, recombined",
    "rp": "RP, recombined",
    "dcc": "DCC, recombined",
    "iiw+rp+dcc": "IIW+RP+DCC, recombined",
}
_ADAPTED = {
    "source network as it is": "paper: source network as it is",
    "with test batch statistics": "paper: with test batch statistics",
    "adapted, as published": "paper: adapted through rotation",
}
_RECOMBINED = "recombined, before fine-tuning, lowest to highest"


def figures_of(metrics: Metrics) -> dict[str, Figure]:
    """Returns the main figures of a run by their labels, those that were measured."""
    found = _OF_EXPERIMENT[metrics["experiment"]](metrics["results"])
    return {label: figure for label, figure in found.items() if figure.text != MISSING}


def _classifier_transfer(records: list[Record]) -> dict[str, Figure]:
    head = UpdatedHead(records)
    by_family = {paper.family(extractor): extractor for extractor in reversed(head.extractors)}
    return {
        **{
            f"new head on a {name}": Figure(percent(head.accuracy(by_family[family])))
            for family, name in _FAMILIES.items()
            if family in by_family
        },
        **{
            f"upper bound, {name}": Figure(percent(head.upper_bound(by_family[family])))
            for family, name in _FAMILIES.items()
            if family in by_family
        },
    }


def _compatibility_analysis(records: list[Record]) -> dict[str, Figure]:
    found = [r for r in records if r.get("study") == "methods" and r.get("dataset") != "average"]
    recombined = grouped(select(found, metric="recombination_accuracy"), "method")
    own = select(found, {"subset": "all"}, metric="own_accuracy", subset="common")
    figures = {label: recombined.get(method, []) for method, label in _METHODS.items()}
    figures["upper bound"] = select(own, method="upper_bound")
    return {
        label: _figure(of_figure, "{method}_seed{seed}") for label, of_figure in figures.items()
    }


def _domain_adaptation(records: list[Record]) -> dict[str, Figure]:
    accuracies = select(records, metric="accuracy")
    return {
        label: _figure(select(accuracies, **ROWS[label]), "{source}_to_{target}_seed{seed}")
        for label in _ADAPTED
    }


def _transfer_learning(records: list[Record]) -> dict[str, Figure]:
    at_once = grouped(select(records, metric="accuracy", steps=0), "method")
    method = next(method for method in METHODS if method in at_once)
    by_pair = grouped(at_once[method], "source", "target")
    means = sorted((summarise(found) for found in by_pair.values()), key=lambda found: found.mean)
    ends = dict.fromkeys(map(percent, (means[0], means[-1])))
    parts = _figure(at_once[method], "{source}_to_{target}_{method}_seed{seed}").parts
    return {_RECOMBINED: Figure(" to ".join(ends), parts)}


_OF_EXPERIMENT = {
    "classifier_transfer": _classifier_transfer,
    "compatibility_analysis": _compatibility_analysis,
    "domain_adaptation": _domain_adaptation,
    "transfer_learning": _transfer_learning,
}


def _figure(records: list[Record], part: str) -> Figure:
    """Returns the mean of a figure, over seeds, and the names of the parts that it is of."""
    parts = dict.fromkeys(part.format(**record) for record in records)
    return Figure(percent(summarise(mean_by_seed(records))), tuple(parts))


def _papers() -> list[Shown]:
    """Returns the rows of the first table."""
    recombined, bounds = paper.CLASSIFIER_TRANSFER_RECOMBINED, paper.CLASSIFIER_TRANSFER_UPPER_BOUND
    low, high = (percent(Summary(v)) for v in paper.TRANSFER_LEARNING_RECOMBINED)
    own, methods = "classifier_transfer", "compatibility_analysis"
    return [
        *(
            Shown(own, f"new head on a {name}", percent(Summary(recombined[f])), f == "resnet")
            for f, name in _FAMILIES.items()
        ),
        *(
            Shown(own, f"upper bound, {name}", percent(Summary(bounds[f])))
            for f, name in _FAMILIES.items()
        ),
        *(
            Shown(
                methods,
                label,
                percent(Summary(paper.COMPATIBILITY_RECOMBINED[m])),
                m in ("independent", "iiw+rp+dcc"),
            )
            for m, label in _METHODS.items()
        ),
        Shown(methods, "upper bound", percent(Summary(paper.COMPATIBILITY_UPPER_BOUND))),
        *(
            Shown(
                "domain_adaptation",
                label,
                percent(Summary(paper.DOMAIN_ADAPTATION[theirs][-1])),
                label == "adapted, as published",
            )
            for label, theirs in _ADAPTED.items()
        ),
        Shown("transfer_learning", _RECOMBINED, f"{low} to {high}", True),
    ]


def commits(metrics: Metrics, parts: Iterable[str] = ()) -> list[str]:
    """Returns the commits that a run, or some parts of it, were made with, shortened."""
    makers = metrics.get("made_by") or [metrics]
    chosen = [
        next((maker for maker in makers if part in maker.get("parts", ())), None) for part in parts
    ]
    found = [maker for maker in chosen if maker is not None] or makers
    return list(dict.fromkeys(maker["versions"]["commit"][:7] for maker in found))


def machines(metrics: Metrics) -> str:
    """Returns the processors and accelerators that a run was made on."""
    makers = metrics.get("made_by") or [metrics]
    named = (
        ", ".join([f"{found['cpu']} ({found['cores']} cores)", *found["accelerators"]])
        for found in (maker["hardware"] for maker in makers)
    )
    return "; ".join(dict.fromkeys(named))


def load(path: Path) -> Metrics:
    """Returns the metrics of a committed file."""
    return json.loads(path.read_text(encoding="utf-8"))


def beside_the_paper() -> Table:
    """Returns the paper's figures, ours on photographs and ours on digits, with their commits."""
    rows, titles = [], dict(TITLES)
    for shown in _papers():
        # Each title stands in the first of its rows alone.
        row = {"experiment": titles.pop(shown.experiment, ""), "figure [%]": shown.label}
        row["paper"] = shown.paper
        for name, run in zip(("photographs", "digits"), BESIDE[shown.experiment], strict=True):
            metrics = load(RESULTS / shown.experiment / f"{run}.json")
            figure = figures_of(metrics).get(shown.label, Figure(MISSING))
            row[name] = f"[{figure.text}]({shown.experiment}/{run}/report.md)"
            row[f"commit, {name}"] = _code(commits(metrics, figure.parts))
        rows.append(row)
    return Table.of_rows(rows)


def short_table() -> Table:
    """Returns the rows of the first table that the project's README shows."""
    rows = []
    for shown in _papers():
        if shown.in_readme:
            rows.append([TITLES[shown.experiment], shown.label, shown.paper])
            for run in BESIDE[shown.experiment]:
                metrics = load(RESULTS / shown.experiment / f"{run}.json")
                rows[-1].append(figures_of(metrics)[shown.label].text)
    return Table(["", "accuracy [%]", "paper", "photographs", "digits"], rows)


def every_run(experiment: str) -> Table:
    """Returns a row for each committed run of an experiment."""
    rows = []
    for path in sorted((RESULTS / experiment).rglob("*.json")):
        metrics, place = load(path), path.relative_to(RESULTS)
        name = place.relative_to(experiment).with_suffix("").as_posix()
        report = place.with_suffix("") / "report.md"
        link = f"[{name}]({place.as_posix()})"
        if (RESULTS / report).exists():
            link += f", [report]({report.as_posix()})"
        told = "; ".join(f"{label}: {f.text}" for label, f in figures_of(metrics).items())
        seeds = len(unique(metrics["results"], "seed"))
        cells = [metrics["config"]["preset"], told or "in the file", str(seeds)]
        rows.append([link, *cells, _code(commits(metrics)), machines(metrics)])
    return Table(["run", "preset", "main figures [%]", "seeds", "commit", "made on"], rows)


# The main figures of each benchmark: the first of these metrics that a file has.
_MAIN = (
    "best_speed_to_pytorch",
    "speed_to_pytorch",
    "ratio_to_shipped",
    "ratio_to_not_folded",
    "round_time_ratio",
    "ratio",
    "overhead",
    "part_of_training",
    "waiting_share_at_most",
    "latency_to_mobilenet_v2",
    "per_image",
    "speed_to_copying",
    "memory_to_size",
    "part",
    "busy",
    "sending_ms",
    "first_round_s",
)
_MOST = 4


def benchmarks() -> Table:
    """Returns a row for each committed file of a benchmark."""
    rows = []
    for path in sorted((RESULTS / "benchmarks").glob("*.json")):
        metrics = load(path)
        source = ROOT / "benchmarks" / f"{metrics['experiment']}.py"
        docstring = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
        measured = docstring.split("\n\n")[0].replace("\n", " ")
        found = grouped(metrics["results"], "metric")
        main = next(metric for metric in _MAIN if metric in found)
        told = [_told(record) for record in found[main]]
        more = [f"and {len(told) - _MOST} more"] * (len(told) > _MOST)
        rows.append(
            [
                f"[{path.stem}](benchmarks/{path.name})",
                measured,
                f"`{main}`: {', '.join([*told[:_MOST], *more])}",
                _code(commits(metrics)),
                machines(metrics),
            ]
        )
    return Table(["file", "benchmark", "main figures", "commit", "made on"], rows)


def _told(record: Record) -> str:
    names = [str(v) for k, v in record.items() if k not in ("metric", "value", "seed")]
    return " ".join([*names, f"**{record['value']:.3g}**"])


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def results_readme() -> str:
    """Returns the content of `results/README.md`."""
    parts = [
        "# Results",
        "`python -m benchmarks.results_table` makes this page from the JSON files in this folder. "
        "Accuracies are in percent, and ± is the standard deviation over seeds. A commit is the "
        "version of the code that measured the figure; `git show COMMIT` has its date.",
        beside_the_paper().markdown(left=2),
        "Photographs are CIFAR-10, nine classes of STL-10 and Tiny ImageNet, with networks and "
        "training that a processor can do; digits are the demo. Both are smaller than the paper's "
        "runs: compare the order of the figures, not their values.",
        "## Every run",
        "The folders `...-changed` hold runs with one changed setting.",
    ]
    for experiment, title in TITLES.items():
        parts += [f"### {title}", every_run(experiment).markdown(left=6)]
    parts += [
        "## Benchmarks",
        "A ratio compares two figures of the same file: machines differ. "
        "[docs/benchmarks.md](../docs/benchmarks.md) says what follows from them.",
        benchmarks().markdown(left=5),
    ]
    return "\n\n".join(parts) + "\n"


def with_results(readme: str) -> str:
    """Returns the project's README with the short table between its two marks."""
    start, end = map(re.escape, MARKS)
    table = f"{MARKS[0]}{short_table().markdown(left=2)}\n{MARKS[1]}"
    return re.sub(f"{start}.*?{end}", lambda _: table, readme, flags=re.DOTALL)


def main() -> None:
    """Writes both files."""
    write_text(RESULTS / "README.md", results_readme())
    write_text(README, with_results(README.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
