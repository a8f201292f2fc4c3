"""What a command computed for a store: refused before the work, or kept whatever comes after it."""

from __future__ import annotations

import re
import shlex

import numpy as np
import pytest
from PIL import Image

from apps import components
from keras_compat import networks
from keras_compat.errors import InputError
from keras_compat.experiments.compatibility_analysis.execute import CellFolder, left_by
from keras_compat.experiments.compatibility_analysis.training import Network
from keras_compat.experiments.components import retraining
from keras_compat.experiments.runner.signals import Terminated
from keras_compat.store import Component, Reference, Store, load, pack
from keras_compat.studies.cells import Cell
from keras_compat.training import Trainer
from tests.apps.shell import exit_code
from tests.experiments.damage import full_disk
from tests.experiments.two_sets import write_set

pytestmark = pytest.mark.once
ARCHITECTURE = "resnet8:filters=4@stage2"


def head(classes, name="head"):
    return networks.build_head(
        ARCHITECTURE, input_channels=8, classes=classes, seed=classes, name=name
    )


def extractor():
    return networks.build_extractor(ARCHITECTURE, (8, 8, 1), interface_channels=8, seed=0)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = Store(tmp_path / "parts")
    built = {
        "e": Component(extractor=extractor(), extractor_architecture=ARCHITECTURE),
        "h": Component(
            head=head(2), head_architecture=ARCHITECTURE, class_names=("cat", "dog"), licence="MIT"
        ),
    }
    for name, component in built.items():
        found.publish(Reference(name, "1"), pack(component, name))
    return found


@pytest.fixture
def images(tmp_path):
    return write_set(tmp_path / "more.npz", ("cat", "dog", "frog"), images=(48, 30))


def retrain(store, images, new="h@2"):
    how = ("--rounds=2", "--batch_size=16")
    return ["retrain", store.url, "e", "h@1", new, f"--data={images}", *how]


def tree(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.name != ".staging"}


def untrained(*_, **__):
    raise AssertionError("it was trained")


def publish_first(store):
    def accuracy(*_):
        content = pack(load(store, Reference("h", "1")), "h@2")
        store.publish(Reference("h", "2"), content)
        return 0.5

    return accuracy


def fails(error):
    def fail(*_, **__):
        raise error

    return fail


@pytest.mark.parametrize("name", ["n" * 220, "tab\tin it", "‮turned"])
def test_a_name_that_no_manifest_takes_is_refused_before_training(
    store, name, tmp_path, monkeypatch
):
    monkeypatch.setattr(Trainer, "fit", untrained)
    for split in ("train", "test"):
        for known in ("cat", "dog", name):
            folder = tmp_path / "images" / split / known
            folder.mkdir(parents=True)
            for number in range(4):
                pixels = np.full((8, 8), 20 * number, "uint8")
                Image.fromarray(pixels).save(folder / f"{number}.png")
    with pytest.raises(InputError) as told:
        components.run(retrain(store, f"folder:{tmp_path}/images"))
    assert "\n" not in str(told.value)
    assert store.versions("h") == ["1"]


def test_a_store_that_cannot_be_written_is_found_out_before_training(store, images, monkeypatch):
    monkeypatch.setattr(Trainer, "fit", untrained)
    with full_disk(), pytest.raises(InputError, match="h/2 in .* cannot be used: File too large"):
        components.run(retrain(store, images))
    assert store.verify() == []


@pytest.mark.parametrize(
    ("make", "kind", "why"),
    [
        (publish_first, InputError, "h@2 is published"),
        (lambda store: fails(OSError(28, "No space left on device")), OSError, "No space left"),
        (lambda store: fails(Terminated()), Terminated, ""),
        (lambda store: fails(RuntimeError("out of memory")), RuntimeError, "out of memory"),
        (lambda store: fails(ArithmeticError("not finite")), ArithmeticError, "not finite"),
        (lambda store: lambda *_: float("nan"), InputError, "h@2 cannot be published: metrics"),
    ],
)
def test_whatever_fails_after_training_leaves_the_head(
    store, images, make, kind, why, monkeypatch, tmp_path
):
    weights = []
    fit = Trainer.fit

    def noted(trainer, *arguments, **options):
        fit(trainer, *arguments, **options)
        weights.extend(w for task in trainer.tasks.values() for w in task.head.get_weights())

    monkeypatch.setattr(Trainer, "fit", noted)
    with monkeypatch.context() as patch, pytest.raises(kind) as ended:
        patch.setattr(retraining.evaluation, "accuracy", make(store))
        components.run(retrain(store, images))
    said = "; ".join([str(ended.value), *getattr(ended.value, "__notes__", [])])
    assert why in said and "\n" not in said
    place, command = re.search(r"kept in '(.*?)': .* python -m apps.components (.*)", said).groups()
    words = shlex.split(command)
    assert words[-1] == f"--component={place}"
    assert words[2] == "h@2"
    components.run([words[0], words[1], "h@3", words[3]])
    found = load(store, Reference("h", "3"))
    assert found.class_names == ("cat", "dog", "frog")
    assert {p.name for p in found.parents} == {"e", "h"}
    for ours, theirs in zip(found.head.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert store.verify() == []


def test_where_nothing_can_be_kept_that_is_said(store, images, monkeypatch):
    monkeypatch.setattr(retraining.evaluation, "accuracy", fails(InputError("gone")))
    monkeypatch.setattr(Store, "publish", fails(OSError(28, "No space left on device")))
    with pytest.raises(InputError, match="gone; .* could not be kept: .*No space left") as told:
        components.run(retrain(store, images))
    assert "\n" not in str(told.value)


def test_only_one_component_is_published_from_a_store(store, tmp_path):
    with pytest.raises(InputError, match="holds 2 components"):
        components.run(["publish", str(tmp_path / "others"), "x@1", f"--component={store.url}"])


# Cells of an analysis ---------------------------------------------------------------------------


def save_cell(cells, cell, shared=True):
    folder = CellFolder(cells / cell.name)
    rotation = {
        n: head(4, "shared__rotation_head" if shared else f"{n}__rotation_head") for n in "ab"
    }
    rotation["b"] = rotation["a"] if shared else rotation["b"]
    made = {
        n: Network(extractor(), head(c, f"{n}_head"), {"rotation": rotation[n]})
        for n, c in (("a", 2), ("b", 3))
    }
    names = {"a": ["cat", "dog"], "b": ["cat", "dog", "frog"]}
    data = {n: {"name": n, "class_names": names[n], "train": {"count": 9}} for n in names}
    left, settings = left_by(cell, made), {"architectures": [ARCHITECTURE.partition("@")[0]]}
    folder.save_models(left.models, 1.0, settings, data, **left.about)
    return folder.path


@pytest.mark.parametrize("inside", ["", "networks"])
def test_each_network_of_a_cell_is_published(store, tmp_path, inside, capsys):
    place = save_cell(tmp_path / "cells", Cell("rp", 0, split="stage2")) / inside
    components.run(["publish", store.url, "zoo@1", f"--network={place}"])
    names = ["zoo-rotation-head@1", "zoo-a-extractor@1", "zoo-a-head@1"]
    names += ["zoo-b-extractor@1", "zoo-b-head@1"]
    assert capsys.readouterr().out.splitlines() == [f"published {name}" for name in names]
    manifests = [store.manifest(Reference.parse(name)) for name in names]
    assert manifests[2].class_names == ("cat", "dog")
    assert manifests[4].class_names == ("cat", "dog", "frog")
    assert len(frozenset.union(*(m.families for m in manifests))) == 1
    assert manifests[1].extractor.architecture.split.startswith("stage2")


def test_heads_that_were_not_shared_are_published_each(store, tmp_path, capsys):
    place = save_cell(tmp_path / "cells", Cell("rp", 0, split="stage2", first="a"), shared=False)
    components.run(["publish", store.url, "zoo@1", f"--network={place}"])
    said = capsys.readouterr().out
    assert "zoo-a-rotation-head@1" in said and "zoo-b-rotation-head@1" in said
    modes = {n: store.manifest(Reference(f"zoo-{n}-head", "1")).auxiliaries[0].mode for n in "ab"}
    assert modes == {"a": "shared", "b": "frozen"}


def test_a_pre_training_has_no_classifier_to_publish(store, tmp_path):
    place = save_cell(tmp_path / "cells", Cell("pretraining", 0))
    with pytest.raises(InputError, match="pre-training, whose networks know no classes"):
        components.run(["publish", store.url, "zoo@1", f"--network={place}"])


# Full disks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("recombine", "e@1", "h@1", "p@2"),
        ("adapt", "p@1", "p@2", "IMAGES"),
        ("retrain", "e@1", "h@1", "h@2", "DATA", "--rounds=2", "--batch_size=16"),
        ("publish", "x@1", "--extractor=e.keras", f"--architecture={ARCHITECTURE}"),
        ("export", "p@3", "shipped", "--formats=litert,onnx"),
        ("install", "e@1", "phone", "--updates=h", "IMAGES"),
        pytest.param(
            ("update", "h@1", "h.zip", "--devices=device", "--number=1", "DATA"),
            marks=pytest.mark.slow,
        ),
    ],
    ids=lambda words: words[0],
)
def test_a_full_disk_is_one_line_and_leaves_what_there_was(
    store, images, words, tmp_path, monkeypatch, capsys
):
    extractor().save(tmp_path / "e.keras")
    components.run(["recombine", store.url, "e@1", "h@1", "p@1"])
    components.run(["adapt", store.url, "p@1", "p@3", f"--images={images}"])
    if words[0] == "update":
        components.run(["install", store.url, "e@1", "device", "--updates=h", f"--images={images}"])
    flags = [words[0], store.url, *words[1:]]
    given = {"IMAGES": f"--images={images}", "DATA": f"--data={images}"}
    before = tree(tmp_path)
    capsys.readouterr()
    with full_disk():
        code = exit_code(components.run, [given.get(f, f) for f in flags], monkeypatch)
    said = capsys.readouterr().err
    assert (code, said.count("\n")) == (2, 1), said
    assert "File too large" in said or "No space left" in said
    assert tree(tmp_path) - before <= {"shipped"}
    assert before <= tree(tmp_path)
    assert store.verify() == []
