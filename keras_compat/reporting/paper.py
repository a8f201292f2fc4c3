"""The paper's figures, as fractions, to stand beside ours.

Source: Gygli, Uijlings, Ferrari: Towards Reusable Network Components by Learning Compatible
Representations. AAAI 2021, https://arxiv.org/abs/2004.03898. Only what the text states in numbers
is here; what only a plot shows is left out.
"""

from __future__ import annotations

import re

# Sec. 5.2: "recombining either ResNet-56 or MobileNet V2 with the updated DCC head lead to
# excellent accuracy of 91.7% and 91.6% respectively".
CLASSIFIER_TRANSFER_RECOMBINED = {"resnet": 0.917, "mobilenet_v2": 0.916}

# Sec. 5.2: "the upper bounds are even higher at 94.6% and 93.3%".
CLASSIFIER_TRANSFER_UPPER_BOUND = {"resnet": 0.946, "mobilenet_v2": 0.933}

# Sec. 5.2: "If we redo the upper bound using these changed architectures, we get accuracies
# between 92.7% and 92.8%".
CLASSIFIER_TRANSFER_CHANGED_UPPER_BOUND = (0.927, 0.928)

# Sec. 5.2: "perfectly discriminating the first five classes, leading to 50% accuracy".
CLASSIFIER_TRANSFER_LOWER_BOUND = 0.5

CLASSIFIER_TRANSFER_DATASET = "CIFAR-10"

_FAMILIES = ("wide_resnet", "resnet", "mobilenet_v2")


def family(architecture: str) -> str:
    """Returns the family of an architecture, by which the paper's figures are found.

    Args:
        architecture: a name such as `"resnet56"` or `"wide_resnet:depth=16,width=4"`.

    Returns:
        `"wide_resnet"`, `"resnet"`, `"mobilenet_v2"`, or the name itself if it is of no family
        that the paper uses.

    Example:

    >>> family("resnet56"), family("wide_resnet10"), family("mobilenet_v2_small")
    ('resnet', 'wide_resnet', 'mobilenet_v2')
    """
    return next((f for f in _FAMILIES if architecture.startswith(f)), architecture)


def is_cifar10(dataset: str) -> bool:
    """Returns whether a data set's name says that it is CIFAR-10, where the paper measured.

    Args:
        dataset: a name or a spec, such as `"cifar10"` or `"npz:cifar10.npz"`.

    Returns:
        True for CIFAR-10; CIFAR-100 and its relatives are not.

    Example:

    >>> is_cifar10("cifar10"), is_cifar10("cifar100"), is_cifar10("digits")
    (True, False, False)
    """
    return re.search(r"cifar[-_]?10(?![0-9])", dataset.lower()) is not None
