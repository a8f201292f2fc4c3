"""Tables of the classifier transfer: accuracies beside the bounds, and of deployed files."""

from __future__ import annotations

from collections.abc import Mapping

from keras_compat.reporting import paper
from keras_compat.reporting.classifier_transfer.updated_head import UpdatedHead, dataset_of
from keras_compat.reporting.records import Summary
from keras_compat.reporting.table import Table, percent


def result_table(head: UpdatedHead) -> Table:
    """Returns the accuracies of each extractor with the updated head, beside the bounds.

    Returns:
        A table in percent, a row an extractor, the reference with a star. The paper's figures come
        last, named as CIFAR-10's when ours are of other data.

    Raises:
        InputError: if the records are of several data sets.

    Example:

    >>> keys = {"dataset": "cifar10", "extractor": "resnet56", "head": "mobilenet_v2", "seed": 0}
    >>> head = UpdatedHead([{"metric": "recombination_accuracy", **keys, "value": 0.9}])
    >>> print(result_table(head).text(30))
    extractor  all classes  paper  paper: upper bound
    ---------  -----------  -----  ------------------
    resnet56          90.0   91.7                94.6
    """
    on_papers_data = paper.is_cifar10(dataset_of(head.records))
    theirs = "paper" if on_papers_data else f"{paper.CLASSIFIER_TRANSFER_DATASET} paper"
    # B.7 states no figures: its plot alone has them.
    main = head.variant == "frozen_extractor"
    recombined = paper.CLASSIFIER_TRANSFER_RECOMBINED if main else {}
    rows = [
        {
            "extractor": f"{e} *" if e == head.reference else e,
            "old classes, before": percent(head.before(e)),
            "old classes": percent(head.accuracy(e, subset="old")),
            "new classes": percent(head.accuracy(e, subset="new")),
            "all classes": percent(head.accuracy(e)),
            "upper bound": percent(head.upper_bound(e)),
            "upper bound, changed architecture": percent(head.upper_bound(e, "changed")),
            theirs: percent(published(e, recombined)),
            f"{theirs}: upper bound": percent(published(e, paper.CLASSIFIER_TRANSFER_UPPER_BOUND)),
        }
        for e in head.extractors
    ]
    return Table.of_rows(rows)


def deployment_table(head: UpdatedHead) -> Table | None:
    """Returns the accuracies on all classes on the way from training to a deployed file.

    Returns:
        A table in percent, a row an extractor; `None` if nothing was measured but Keras with batch
        statistics.

    Example:

    >>> keys = {"dataset": "digits", "extractor": "resnet8", "seed": 0}
    >>> head = UpdatedHead([
    ...     {"metric": "recombination_accuracy", **keys, "value": 0.93},
    ...     {"metric": "accuracy", **keys, "statistics": "moving", "value": 0.92}])
    >>> print(deployment_table(head).text(20))
               Keras, batch  Keras, moving
    extractor    statistics     statistics
    ---------  ------------  -------------
    resnet8            93.0           92.0
    """
    ways = {
        "Keras, batch statistics": {},
        "Keras, moving statistics": {"statistics": "moving"},
        "SavedModel": {"statistics": "moving", "runtime": "saved_model"},
        "LiteRT": {"statistics": "moving", "runtime": "litert"},
    }
    rows = [
        {
            "extractor": e,
            **{name: percent(head.accuracy(e, **keys)) for name, keys in ways.items()},
            "LiteRT: largest logit difference": head.largest_logit_difference(e),
        }
        for e in head.extractors
    ]
    table = Table.of_rows(rows)
    return table if any(name in ways for name in table.header[2:]) else None


def published(extractor: str, values: Mapping[str, float]) -> Summary | None:
    """Returns the paper's figure for an extractor of the same family, if it has one.

    Args:
        values: Fractions by family; see `paper.family`.

    Example:

    >>> published("resnet8", {"resnet": 0.917}).mean
    0.917
    """
    value = values.get(paper.family(extractor))
    return None if value is None else Summary(value)
