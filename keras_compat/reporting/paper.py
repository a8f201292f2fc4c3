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

# Sec. 4, Fig. 2: on CIFAR-10 and STL-10, ResNet-56 split after its second stage, nine common
# classes, mean of ten runs.
COMPATIBILITY_DATASETS = "CIFAR-10, STL-10"
COMPATIBILITY_RECOMBINED = {
    "independent": 0.106,
    "iiw": 0.251,
    "rp": 0.501,
    "dcc": 0.658,
    "iiw+rp+dcc": 0.767,
}

# Sec. 4: "an upper bound of 85.6% accuracy", with a rotation head for each network, "which we
# found to improve results by 2.0%".
COMPATIBILITY_UPPER_BOUND = 0.856
COMPATIBILITY_ROTATION_HEAD = 0.02

# Sec. 4: "accuracy on their own target tasks without recombination reaches 86.3%", on all classes
# (Appendix C).
COMPATIBILITY_OWN = {"iiw+rp+dcc": 0.863, "upper_bound": COMPATIBILITY_UPPER_BOUND}

# Sec. 4, "Joint vs. incremental training": "results decrease moderately from 76.7% to 72.7%".
COMPATIBILITY_INCREMENTAL = {"iiw+rp+dcc": 0.727}

# Sec. 4, "Starting from pre-trained models": the same weights with IIW, different ones without.
COMPATIBILITY_PRETRAINED = {"rp": 0.197, "dcc": 0.523, "iiw": 0.743, "iiw+dcc": 0.827}

# Sec. 4, "Feature cross-correlation", Fig. 3; the first is of `independent` after the permutation.
COMPATIBILITY_CORRELATION_PERMUTED = 0.34
COMPATIBILITY_CORRELATION = {"rp": 0.38, "dcc": 0.19, "iiw+rp": 0.38}
# The same, from pre-trained weights: "very high correlation when starting from pre-trained IIW".
COMPATIBILITY_CORRELATION_PRETRAINED = (0.69, 0.76)

# B.1: "the normal aggregated training statistics [...] 32.4%", with IIW+DCC.
COMPATIBILITY_MOVING_STATISTICS = {"iiw+dcc": 0.324}

# B.2: both networks on CIFAR-10; "any combination of two or three of our compatibility methods
# [...] within 1.1% of the upper bound".
COMPATIBILITY_SAME_DATA_GAP = 0.011

# B.4: "reducing to 6 classes or less has a strong negative effect (<= 59.4%). In this regime, DCC
# is outperformed by RP (61.8%)". Sec. 4 has 50.1 for RP alone, and Fig. 9 is of networks with IIW.
COMPATIBILITY_SIX_CLASSES_AT_MOST = 0.594
COMPATIBILITY_SIX_CLASSES_RP = 0.618

# Sec. 5.1, Table 2: (CIFAR-10 to STL-10, STL-10 to CIFAR-10, average), average class accuracy; the
# paper's own rows last.
DOMAIN_ADAPTATION = {
    "VADA (Shu et al. 2018)": (0.783, 0.714, 0.749),
    "VADA+Co-DA-bn (Kumar et al. 2018)": (0.813, 0.763, 0.788),
    "DTA (Lee et al. 2019)": (0.826, 0.728, 0.777),
    "joint with rotation (Sun et al. 2019)": (0.812, 0.656, 0.734),
    "joint multi-objective (Sun et al. 2019)": (0.821, 0.740, 0.781),
    "paper: source network as it is": (0.772, 0.529, 0.651),
    "paper: with test batch statistics": (0.820, 0.713, 0.767),
    "paper: adapted through rotation": (0.826, 0.731, 0.779),
}

# Cicek and Soatto 2019, https://arxiv.org/abs/1905.10885: later than what Table 2 cites.
DOMAIN_ADAPTATION_LATER = {
    "Regularized Conditional Alignment (Cicek and Soatto 2019)": (0.8165, 0.7776, 0.797),
}

# Sec. 5.3: "our method achieves 40.0%-66.4% recombination accuracy", over targets, before any
# fine-tuning; from ILSVRC-12 to CIFAR-10, STL-10 and CIFAR-100.
TRANSFER_LEARNING_RECOMBINED = (0.400, 0.664)

_FAMILIES = ("wide_resnet", "resnet", "mobilenet_v2")


def family(architecture: str) -> str:
    """Returns the family of an architecture, by which the paper's figures are found.

    Returns:
        `"wide_resnet"`, `"resnet"`, `"mobilenet_v2"`, or the name itself if it is of no family
        that the paper uses.

    Example:

    >>> family("resnet56"), family("wide_resnet10"), family("mobilenet_v2_small")
    ('resnet', 'wide_resnet', 'mobilenet_v2')
    """
    return next((f for f in _FAMILIES if architecture.startswith(f)), architecture)


def is_cifar10(dataset: str) -> bool:
    """Returns whether the name or spec of a data set says that it is CIFAR-10.

    Example:

    >>> is_cifar10("cifar10"), is_cifar10("cifar100"), is_cifar10("digits")
    (True, False, False)
    """
    return re.search(r"cifar[-_]?10(?![0-9])", dataset.lower()) is not None


def is_stl10(dataset: str) -> bool:
    """Returns whether the name or spec of a data set says that it is STL-10, or nine classes of it.

    Example:

    >>> is_stl10("stl10"), is_stl10("stl9"), is_stl10("mnist5k")
    (True, True, False)
    """
    return re.search(r"stl[-_]?(10|9)(?![0-9])", dataset.lower()) is not None
