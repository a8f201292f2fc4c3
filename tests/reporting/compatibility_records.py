"""Records of a compatibility analysis as a run makes them, with figures like the paper's."""

from __future__ import annotations

import itertools
import zlib

import numpy as np

from keras_compat.reporting import make_record

FIGURE_2 = ("independent", "iiw", "rp", "dcc", "iiw+rp", "iiw+dcc", "rp+dcc", "iiw+rp+dcc")
BOUNDS = ("upper_bound", "upper_bound_without_rotation")
RECOMBINED = dict(
    zip(FIGURE_2, (0.106, 0.251, 0.501, 0.658, 0.618, 0.72, 0.70, 0.767), strict=True)
)
BOUND = 0.856
CORRELATION = {"independent": 0.01, "iiw": 0.22, "rp": 0.38, "dcc": 0.19}
STUDIES = (
    "methods",
    "incremental",
    "pretrained",
    "same_data",
    "normalization",
    "splits",
    "common_classes",
    "baselines",
    "auxiliaries",
    "rotation",
    "signals",
    "calibration",
    "cost",
)
CHANNELS = 32
SPLITS = ("stem", *(f"stage{s}_block{b}" for s in (1, 2, 3) for b in (1, 2, 3)))[:-1]
BASELINES = {
    "swap": "nothing",
    "swap_recalibrated": "test images, no labels",
    "permutation": "images through both",
    "least_squares": "images through both",
    "procrustes": "images through both",
    "stitching": "labels, 200 steps",
    "stitching_unlabelled": "images through both, 200 steps",
    "relative": "256 anchors, 200 steps",
}


def run(networks=("cifar10", "stl10"), seeds=1, studies=STUDIES, methods=FIGURE_2):
    """The records of a run of these studies."""
    records = []
    for study in studies:
        for seed in range(seeds):
            records += globals()[f"_{study}"](networks, seed, methods)
    return records


def cell(study, method, seed, networks, recombined=None, datasets=None, own=BOUND, **keys):
    """The records of one cell; recombined accuracy is as given on average, but for its noise."""
    keys = {"study": study, "method": method, "seed": seed, **keys}
    datasets = datasets or dict(zip(networks, networks, strict=True))
    noise = _noise(study, method, seed, *map(str, keys.values()))
    # The first network's data are easier.
    ease = dict(zip(networks, np.linspace(0.06, -0.06, len(networks)), strict=True))
    records = []
    trained = {k: v for k, v in keys.items() if k != "baseline"}
    for subset, gain in (("common", 0.0), ("all", 0.007)):
        values = {n: own + gain + ease[n] + 0.004 * noise.normal() for n in networks}
        records += [
            make_record("own_accuracy", v, network=n, dataset=datasets[n], subset=subset, **trained)
            for n, v in values.items()
        ]
        average = np.mean(list(values.values()))
        records.append(
            make_record("own_accuracy", average, dataset="average", subset=subset, **trained)
        )
    if recombined is None:
        return records
    values = {
        (e, h): float(np.clip(recombined + ease[e] + 0.02 * noise.normal(), 0.05, 1))
        for e, h in itertools.permutations(networks, 2)
    }
    records += [
        make_record("recombination_accuracy", v, extractor=e, head=h, dataset=datasets[e], **keys)
        for (e, h), v in values.items()
    ]
    average = float(np.mean(list(values.values())))
    records += [
        make_record("recombination_accuracy", average, dataset="average", **keys),
        make_record("chance", 1 / 9 if datasets == _same(networks) else 1 / 10, **trained),
    ]
    return records


def correlations(study, method, seed, networks, mean, **keys):
    """The records of the cross-correlation of every pair of extractors."""
    records = []
    for a, b in itertools.combinations(networks, 2):
        noise = _noise(study, method, seed, a, b, *map(str, keys.values()))
        channels = np.sort(np.clip(mean + 0.25 * noise.normal(size=CHANNELS), -0.95, 0.99))[::-1]
        pair = {"study": study, "method": method, "seed": seed, "extractor_a": a, "extractor_b": b}
        records.append(make_record("cross_correlation", channels.mean(), **pair, **keys))
        records += [
            make_record("channel_correlation", v, channel=c, **pair, **keys)
            for c, v in enumerate(channels)
        ]
    return records


def _methods(networks, seed, methods):
    records = []
    for method in methods:
        records += cell("methods", method, seed, networks, RECOMBINED.get(method, 0.5))
        mean = CORRELATION.get(method, 0.4)
        records += correlations("methods", method, seed, networks, mean)
        if method == "independent":
            records += correlations("methods", method, seed, networks, 0.34, permuted=True)
    for bound, own in zip(BOUNDS, (BOUND, 0.836), strict=True):
        records += cell("methods", bound, seed, networks, 0.1, own=own)
    return records


def _incremental(networks, seed, methods):
    records = cell("incremental", "iiw+rp+dcc", seed, networks, 0.767)
    for first, value in zip(networks, (0.74, 0.71, 0.72), strict=False):
        keys = {"scheme": "incremental", "first": first}
        records += cell("incremental", "iiw+rp+dcc", seed, networks, value, **keys)
    return records + cell("incremental", "upper_bound", seed, networks, 0.1)


def _pretrained(networks, seed, methods):
    found = {"independent": 0.12, "iiw": 0.743, "rp": 0.197, "dcc": 0.523, "iiw+dcc": 0.827}
    records = cell("pretrained", "upper_bound", seed, networks, 0.1)
    records += cell("pretrained", "upper_bound", seed, networks, 0.1, own=0.88, pretrained=True)
    for method, value in found.items():
        records += cell("pretrained", method, seed, networks, RECOMBINED[method])
        records += cell("pretrained", method, seed, networks, value, pretrained=True)
        mean = 0.72 if "iiw" in method else 0.1
        records += correlations("pretrained", method, seed, networks, mean, pretrained=True)
    return records


def _same_data(networks, seed, methods):
    names = ("cifar10_a", "cifar10_b")
    datasets = dict.fromkeys(names, "cifar10")
    records = []
    for method in methods:
        value = 0.91 if "+" in method else RECOMBINED.get(method, 0.5)
        records += cell("same_data", method, seed, names, value, datasets, own=0.915)
    return records + cell("same_data", "upper_bound", seed, names, 0.1, datasets, own=0.915)


def _normalization(networks, seed, methods):
    cases = [
        ({}, 0.72),
        ({"statistics": "moving"}, 0.324),
        ({"statistics": "recalibrated"}, 0.721),
        ({"normalization": "layer"}, 0.52),
        ({"normalization": "instance"}, 0.55),
        ({"features": "unit_length"}, 0.66),
        ({"features": "unit_length_loss"}, 0.64),
    ]
    records = []
    for keys, value in cases:
        found = cell("normalization", "iiw+dcc", seed, networks, value, **keys)
        # Other statistics are only measured on recombined networks.
        own = "statistics" not in keys
        records += [r for r in found if own or r["metric"] == "recombination_accuracy"]
    records += cell("normalization", "upper_bound", seed, networks, 0.1)
    keys = {"study": "normalization", "method": "iiw+dcc", "seed": seed, "dataset": "average"}
    metric = "recombination_accuracy_by_batch_size"
    for power in range(10):
        value = 0.72 - 0.6 * 0.5**power + 0.003 * seed
        records.append(make_record(metric, value, statistics="batch", batch_size=2**power, **keys))
    value = 0.715 + 0.003 * seed
    return [*records, make_record(metric, value, statistics="recalibrated", batch_size=1, **keys)]


def _splits(networks, seed, methods):
    records = []
    for place, split in enumerate(SPLITS):
        value = 0.74 - 0.012 * place - (0.15 * max(0, place - 7))
        records += cell("splits", "iiw+rp", seed, networks, value, split=split)
    return records + cell("splits", "upper_bound", seed, networks, 0.1)


def _common_classes(networks, seed, methods):
    records = []
    for classes in range(2, 10):
        keys = {} if classes == 9 else {"common_classes": classes}
        value = 0.72 - 0.006 * (9 - classes) ** 2
        records += cell("common_classes", "iiw+dcc", seed, networks, value, **keys)
        if classes < 9:
            value = 0.72 - 0.02 * (9 - classes)
            records += cell(
                "common_classes", "iiw+dcc", seed, networks, value, control=True, **keys
            )
    for method, value in (("iiw", 0.251), ("rp", 0.501), ("upper_bound", 0.1)):
        records += cell("common_classes", method, seed, networks, value)
    return records


def _baselines(networks, seed, methods):
    records = []
    for method, start in (("independent", 0.106), ("iiw+rp+dcc", 0.767)):
        records += cell("baselines", method, seed, networks, start)
        reached = (start, start, 0.3, 0.62, 0.6, 0.78, 0.7, 0.55)
        for (name, needs), value in zip(BASELINES.items(), reached, strict=True):
            keys = {"baseline": name, "needs": needs}
            value = max(start, value)
            cells = cell("baselines", method, seed, networks, value, **keys)
            records += [r for r in cells if r["metric"] == "recombination_accuracy"]
    return records + cell("baselines", "upper_bound", seed, networks, 0.1)


def _auxiliaries(networks, seed, methods):
    found = {"rp": 0.5, "jigsaw": 0.41, "colorization": 0.33, "exemplar": 0.36}
    records = cell("auxiliaries", "independent", seed, networks, 0.106)
    for name, value in {**found, "contrastive": 0.52}.items():
        records += cell("auxiliaries", name, seed, networks, value)
        records += cell("auxiliaries", f"iiw+{name}", seed, networks, value + 0.11)
    return records + cell("auxiliaries", "upper_bound", seed, networks, 0.1)


def _rotation(networks, seed, methods):
    found = {
        None: 0.5,
        "a third of rotation's weight": 0.42,
        "three times rotation's weight": 0.55,
        "all four rotations": 0.57,
        "augmentation switched": 0.31,
        "three times the learning rate": 0.58,
    }
    records = cell("rotation", "upper_bound", seed, networks, 0.1)
    for method, gain in (("rp", 0.0), ("iiw+rp", 0.1)):
        for variant, value in found.items():
            keys = {} if variant is None else {"variant": variant}
            records += cell("rotation", method, seed, networks, value + gain, **keys)
    return records


def _signals(networks, seed, methods):
    records = []
    for method, e, h in itertools.product(methods, networks, networks):
        value = 0.95 if e == h else RECOMBINED[method]
        noise = _noise("signals", method, seed, e, h)
        found = {"accuracy": value}
        for name in ("information", "confidence", "agreement", "features"):
            found[name] = float(np.clip(value + 0.05 * noise.normal(), 0, 1))
        if "rp" in method:
            found["rotation"] = float(np.clip(0.25 + 0.7 * value + 0.05 * noise.normal(), 0, 1))
        keys = {"study": "signals", "method": method, "seed": seed, "extractor": e, "head": h}
        for name, measured in found.items():
            records.append(make_record("compatibility_signal", measured, signal=name, **keys))
    return records


def _calibration(networks, seed, methods):
    records = []
    for method in methods:
        records += cell("calibration", method, seed, networks, RECOMBINED[method])
        for count, (e, h) in itertools.product(
            (16, 64, 256, 1024, 4096), itertools.permutations(networks, 2)
        ):
            value = RECOMBINED[method] * (1 - 2 / count)
            keys = {"method": method, "seed": seed, "images": count, "extractor": e, "head": h}
            records.append(
                make_record(
                    "recombination_accuracy_by_calibration_images",
                    value,
                    study="calibration",
                    dataset=e,
                    **keys,
                )
            )
    return records


def _cost(networks, seed, methods):
    records = []
    # It is measured once, for all seeds.
    for count in (2, 4, 8) if seed == 0 else ():
        for method, ratio in {"independent": 1.0, "rp": 2.0, "dcc": 1.05, "rp+dcc": 2.05}.items():
            measured = ratio * (1 + 0.02 * _noise("cost", method, count).normal())
            keys = {"study": "cost", "method": method, "networks": count}
            records += [
                make_record("step_time_s", 0.021 * count * measured, **keys),
                make_record("step_time_ratio", measured, **keys),
                make_record("flops_per_step", 3e9 * count * ratio, **keys),
                make_record("flops_ratio", ratio, **keys),
                make_record("peak_memory_gib", 0.8 + 0.1 * count * ratio, **keys),
            ]
    return records


def _same(networks):
    return dict(zip(networks, networks, strict=True))


def _noise(*names):
    """A generator of its own for each cell, the same in every process."""
    return np.random.default_rng(zlib.crc32("/".join(map(str, names)).encode()))
