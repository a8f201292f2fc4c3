"""The first paragraphs of the report: what was done, and how the paper did it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_compat.methods import (
    UPPER_BOUND,
    UPPER_BOUND_WITHOUT_ROTATION,
    glossary,
    method_name,
)
from keras_compat.reporting.records import Record
from keras_compat.reporting.report import without_result
from keras_compat.reporting.table import MISSING, Table
from keras_compat.studies.analysis import METHODS, Analysis

# Sec. 4 and Appendix C.
_PAPER = {
    "data sets": "cifar10, stl10",
    "training images": "50,000 and 5,000",
    "classes in common": "9",
    "network": "ResNet-56, split after stage 2",
    "training": "20,000 rounds of 512 images",
    "learning rate": "0.01, divided by ten every 5,000 rounds",
    "weight of an auxiliary loss": "1",
    "seeds": "10 (Fig. 2, 10), 5 (Fig. 8), 3 (Fig. 7, 9)",
}


def what_was_done(analysis: Analysis) -> list[str]:
    """Returns the report's first paragraphs: the networks, the measures, what spreads are over."""
    study = main_study(analysis)
    *first, last = analysis.networks(study) or ("images",)
    names = " and ".join(filter(None, [", ".join(first), last]))
    seeds = max((analysis.seeds(s) for s in analysis.studies), default=1)
    lines = glossary([m for s in analysis.studies for m in analysis.methods(s, bounds=True)])
    return [
        f"Networks for {names} were trained, each cut into a feature extractor and a head. By the "
        "methods below they were trained so that their features are compatible. Then the extractor "
        "of one was put on the head of another, with no further training, and tested on the test "
        "images of the extractor's data set: **recombination accuracy**, averaged over all pairs "
        "of different networks. `own head` is a network as it was trained; on the `common classes` "
        "it is tested as recombined networks are. **Compatibility** is recombination accuracy "
        "divided by the upper bound, the accuracy on the common classes of networks trained by "
        f"themselves, {_bound(analysis, study)}. Accuracies are in percent.",
        *without_result(analysis.failures, _failed),
        restriction(analysis),
        "Normalization uses the statistics of the test batch, unless something else is said.",
        spreads(seeds),
        "\n".join(f"- {line}" for line in lines),
    ]


def restriction(analysis: Analysis) -> str:
    """Returns a paragraph on the images and predictions that count."""
    if analysis.restricted:
        return (
            "Predictions are **restricted to the common classes**: only test images of classes "
            "that both data sets have count, and the prediction is the most likely of these "
            "classes, whatever the head says of the others (`restrict: true`)."
        )
    return (
        "Predictions are **not** restricted: only test images of classes that both data sets have "
        "count, but a prediction of a class that the extractor's data set lacks is possible, and "
        "is an error (`restrict: false`). Chance, as it is given here, is that of a guess among "
        "the common classes."
    )


def spreads(seeds: int) -> str:
    """Returns the meaning of the standard deviations."""
    if seeds < 2:
        return "All figures are of one seed: there are no standard deviations."
    return (
        f"± and error bars are sample standard deviations over seeds, {seeds} at most: each seed "
        "is a training of its own, with other initial weights, another order of images and other "
        "augmentation, on the same images. Networks and pairs are averaged within a seed first. A "
        "figure without ± is of one seed."
    )


def here_and_there(analysis: Analysis, data: Mapping[str, Any]) -> Table:
    """Returns the settings of the run beside the paper's."""
    study = main_study(analysis)
    datasets = analysis.datasets(study)
    counts = [data.get(n, {}).get("train", {}).get("count") for n in analysis.networks(study)]
    config = analysis.config
    ours = {
        "data sets": ", ".join(datasets),
        "training images": " and ".join(f"{n:,}" for n in counts) if counts and all(counts) else "",
        "classes in common": analysis.common_classes(study),
        "network": ", ".join(config.get("architectures", ())),
        "training": _training(config.get("training", {})),
        "learning rate": _learning_rate(config.get("training", {})),
        "weight of an auxiliary loss": _weight(config),
        "seeds": analysis.seeds(study),
    }
    rows = [[name, str(ours[name] or MISSING), theirs] for name, theirs in _PAPER.items()]
    return Table(["", "here", "paper"], rows)


def main_study(analysis: Analysis) -> str:
    """Returns the study of all methods, or the first where that was not run."""
    return METHODS if METHODS in analysis.studies else analysis.studies[0]


def _training(how: Mapping[str, Any]) -> str:
    if not {"rounds", "batch_size"} <= how.keys():
        return ""
    return f"{how['rounds']:,} rounds of {how['batch_size']} images"


def _learning_rate(how: Mapping[str, Any]) -> str:
    if not {"learning_rate", "schedule"} <= how.keys():
        return ""
    drops = ", ".join(f"{drop:,}" for drop in how.get("drops", ()))
    falls = f"divided by ten after {drops} rounds" if drops else "constant"
    return f"{how['learning_rate']:g}, {'cosine' if how['schedule'] == 'cosine' else falls}"


def _weight(config: Mapping[str, Any]) -> str:
    weight, rotation = config.get("auxiliary_weight"), config.get("rotation_weight")
    if weight is None:
        return ""
    return f"{weight:g}" if rotation is None else f"{weight:g}, rotation {rotation:g}"


def _bound(analysis: Analysis, study: str) -> str:
    """Returns the networks by whose accuracy compatibility is measured, in words."""
    bounds = {
        UPPER_BOUND: "with a rotation head of their own",
        UPPER_BOUND_WITHOUT_ROTATION: "without a rotation head",
    }
    higher = bounds[analysis.higher_bound(study)]
    if all(analysis.upper_bound(study, method=bound) for bound in bounds):
        return f"with a rotation head of their own or without, whichever is higher: here {higher}"
    return higher


def _failed(record: Record) -> str:
    return f"{method_name(record['method'])}, seed {record['seed']}"
