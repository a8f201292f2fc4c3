"""Records of a compatibility analysis as a run makes them, with figures like the paper's."""

from __future__ import annotations

import itertools
import zlib

import numpy as np

from keras_compat.methods import FIGURE_2
from keras_compat.reporting import make_record
from keras_compat.studies import STUDIES, cells_of
from keras_compat.studies.cells import Known

SPLITS = ["stem"] + [f"stage{s}_block{b}" for s in (1, 2, 3) for b in (1, 2, 3)][:-1]
BASELINES = {
    "swap": (0, "nothing"),
    "swap_recalibrated": (0, "test images, no labels"),
    "permutation": (0.3, "images through both"),
    "least_squares": (0.62, "images through both"),
    "procrustes": (0.6, "images through both"),
    "stitching": (0.78, "labels, 200 steps"),
    "stitching_unlabelled": (0.7, "images through both, 200 steps"),
    "relative": (0.55, "256 anchors, 200 steps"),
}
_RECOMBINED = dict(
    zip(FIGURE_2, (0.106, 0.251, 0.501, 0.658, 0.618, 0.72, 0.70, 0.767), strict=True)
)


def run(networks=("cifar10", "stl10"), seeds=1, studies=tuple(STUDIES), methods=FIGURE_2):
    """The records of a run of these studies."""
    facts = (9, SPLITS, "stem", True, ["resnet20"], methods, range(seeds))
    records = []
    for study, asked in cells_of(studies, Known(networks, *facts)).items():
        for cell, measures, keys in asked:
            found = Cell(cell, networks)
            made = [record for name in measures for record in _MEASURES[name](found)]
            records += [{"study": study, **keys, **record} for record in made]
        if study == "methods":
            bound = [r for r in records if r["method"] == "independent" and "network" in r]
            records += [{**r, "method": "upper_bound_without_rotation"} for r in bound]
    return [*records, *(_costs() if "cost" in studies else ())]


class Cell:
    """Measures nothing: figures are drawn, the same for a cell in every process."""

    def __init__(self, cell, networks):
        self.cell, self.networks = cell, networks
        self.noise = np.random.default_rng(zlib.crc32(cell.name.encode()))
        self.datasets = {n: networks[0] if cell.same_data else n for n in networks}
        self.pairs = list(itertools.permutations(networks, 2))
        # The first network's data are easier.
        self.ease = dict(zip(networks, np.linspace(0.06, -0.06, len(networks)), strict=True))
        changes = cell.changes()
        loss = 0.02 * sum(map(len, map(str, changes.values()))) if changes else 0
        self.level = max(0.1, _RECOMBINED.get(cell.method, 0.5) - loss)

    def record(self, metric, value, **keys):
        return make_record(metric, value, **self.cell.keys(), **keys)

    def recombined(self, level, **keys):
        values = {
            (e, h): float(np.clip(level + self.ease[e] + 0.02 * self.noise.normal(), 0.05, 1))
            for e, h in self.pairs
        }
        metric = "recombination_accuracy"
        return [
            *(
                self.record(metric, v, extractor=e, head=h, dataset=self.datasets[e], **keys)
                for (e, h), v in values.items()
            ),
            self.record(metric, np.mean(list(values.values())), dataset="average", **keys),
        ]


def _matrix(cell):
    records = cell.recombined(cell.level)
    for subset, gain in (("common", 0.0), ("all", 0.007)):
        level = 0.856 + gain
        values = {n: level + cell.ease[n] + 0.004 * cell.noise.normal() for n in cell.networks}
        records += [
            cell.record("own_accuracy", v, network=n, dataset=cell.datasets[n], subset=subset)
            for n, v in values.items()
        ]
    return [*records, cell.record("chance", 1 / 10 if cell.cell.same_data else 1 / 9)]


def _correlation(cell):
    records = []
    for a, b in itertools.combinations(cell.networks, 2):
        for keys in ({}, {"permuted": True})[: 1 + (cell.cell.method == "independent")]:
            keys = {"extractor_a": a, "extractor_b": b, **keys}
            channels = np.clip(cell.level / 2 + 0.25 * cell.noise.normal(size=32), -0.95, 0.99)
            records.append(cell.record("cross_correlation", channels.mean(), **keys))
            records += [
                cell.record("channel_correlation", value, channel=number, **keys)
                for number, value in enumerate(np.sort(channels)[::-1])
            ]
    return records


def _statistics(cell):
    moving = cell.recombined(0.324, statistics="moving")
    return moving + cell.recombined(0.721, statistics="recalibrated")


def _batch_sizes(cell):
    values = {("batch", 2**n): 0.72 - 0.6 * 0.5**n + 0.003 * cell.cell.seed for n in range(10)}
    values["recalibrated", 1] = 0.715 + 0.003 * cell.cell.seed
    metric = "recombination_accuracy_by_batch_size"
    return [
        cell.record(metric, v, statistics=mode, batch_size=size, dataset="average")
        for (mode, size), v in values.items()
    ]


def _calibration(cell):
    metric = "recombination_accuracy_by_calibration_images"
    return [
        cell.record(metric, cell.level * (1 - 2 / n), images=n, extractor=e, head=h, dataset=e)
        for n, (e, h) in itertools.product((16, 64, 256, 1024, 4096), cell.pairs)
    ]


def _baselines(cell):
    return [
        record
        for name, (value, needs) in BASELINES.items()
        for record in cell.recombined(max(cell.level, value), baseline=name, needs=needs)
    ]


def _signals(cell):
    records = []
    for e, h in itertools.product(cell.networks, cell.networks):
        value = 0.95 if e == h else cell.level
        found = {"accuracy": value}
        for name in ("information", "recovered", "confidence", "agreement", "features"):
            found[name] = np.clip(value + 0.05 * cell.noise.normal(), 0, 1)
        if "rp" in cell.cell.method:
            found["rotation"] = np.clip(0.25 + 0.7 * value + 0.05 * cell.noise.normal(), 0, 1)
        records += [
            cell.record("compatibility_signal", v, signal=name, extractor=e, head=h)
            for name, v in found.items()
        ]
    return records


def _costs():
    """Costs, which are measured once for all seeds."""
    noise = np.random.default_rng(0)
    ratios = {"independent": 1.0, "rp": 2.0, "dcc": 1.05, "rp+dcc": 2.05}
    records = []
    for count, (method, ratio) in itertools.product((2, 4, 8), ratios.items()):
        measured = ratio * (1 + 0.02 * noise.normal())
        values = {
            "step_time_s": 0.021 * count * measured,
            "step_time_ratio": measured,
            "flops_per_step": 3e9 * count * ratio,
            "flops_ratio": ratio,
            "peak_memory_gib": 0.8 + 0.1 * count * ratio,
        }
        keys = {"study": "cost", "method": method, "networks": count}
        records += [make_record(metric, value, **keys) for metric, value in values.items()]
    return records


_MEASURES = {
    "matrix": _matrix,
    "correlation": _correlation,
    "statistics": _statistics,
    "batch_sizes": _batch_sizes,
    "calibration": _calibration,
    "baselines": _baselines,
    "signals": _signals,
}
