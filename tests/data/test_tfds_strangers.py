"""Prepared TFDS folders of strangers: they run no code, lead nowhere else and never hang."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

tfds = pytest.importorskip("tensorflow_datasets")

from keras_compat import data
from keras_compat.errors import InputError
from tests.attacks.archives import refused
from tests.data.tiny_tfds import examples, prepare

EVIL = "evil_feature.Evil"
OWN = "tensorflow_datasets.core.features"
DEEP = "[" * 100_000
SHAPE, CLASSES = "image image shape dimensions", "label classLabel numClasses"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    prepare(folder, "pets", {"train": examples(6), "test": examples(6)})
    return folder


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that appears if the stranger's module is imported; it lies where it is found."""
    (tmp_path / "code").mkdir()
    mark = tmp_path / "mark"
    (tmp_path / "code" / "evil_feature.py").write_text(f"open({str(mark)!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path / "code")
    return mark


@pytest.fixture
def sets(prepared: Path, tmp_path: Path) -> Path:
    """A `data_dir` with the data set `pets`, to be spoiled."""
    return Path(shutil.copytree(prepared, tmp_path / "sets"))


def changed(name: str, change: Callable[[dict], object]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "pets" / "1.0.0" / name
        content = json.loads(path.read_text())
        content = change(content) or content
        path.write_text(content if isinstance(content, str) else json.dumps(content))

    return spoil


def put(name: str, place: str, value: object) -> Callable[[Path], None]:
    """Sets a value in a JSON file; its place is given by keys and indices."""

    def change(content: dict) -> None:
        *way, last = place.split()
        for key in way:
            content = content[int(key) if key.isdecimal() else key]
        content[last] = value

    return changed(name, change)


def written(name: str, text: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "pets" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    return spoil


def elsewhere(folder: Path) -> None:
    """The folder itself is sound and names as its configuration one that is not."""
    shutil.copytree(folder / "pets" / "1.0.0", folder / "evil" / "1.0.0")
    (folder / "evil" / "1.0.0" / "features.json").write_text(json.dumps(evil_feature()))
    written(".config/metadata.json", json.dumps({"default_config_name": "../evil"}))(folder)


def linked(folder: Path) -> None:
    (folder / "features.json").write_text(json.dumps(evil_feature()))
    shutil.copy(folder / "pets" / "1.0.0" / "dataset_info.json", folder)
    (folder / "pets" / "2.0.0").symlink_to(folder)


def pipe(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "pets" / name
        path.unlink(missing_ok=True)
        os.mkfifo(path)

    return spoil


def evil_feature() -> dict:
    return {"pythonClassName": EVIL, "featuresDict": {"features": {}}}


def older(content: dict | str, name: str = "Text", **more: object) -> dict:
    """A feature as TFDS wrote it until 2022."""
    return {"type": f"{OWN}.text_feature.{name}", "content": content, **more}


def feature(place: str, value: object) -> Callable[[Path], None]:
    return put("features.json", f"featuresDict features {place}", value)


def child(value: dict) -> Callable[[Path], None]:
    return feature("extra", value)


RUNS_CODE = {
    "features of another class": put("features.json", "pythonClassName", EVIL),
    "a nested one": child(evil_feature()),
    "by the other name of the field": child({"python_class_name": EVIL, "text": {}}),
    "one in a sequence": child(
        {
            "pythonClassName": f"{OWN}.sequence_feature.Sequence",
            "sequence": {"feature": evil_feature()},
        }
    ),
    "in the older form": changed("features.json", lambda _: {"type": EVIL, "content": {}}),
    "nested in the older form": changed(
        "features.json", lambda _: older({"a": {"type": EVIL, "content": {}}})
    ),
    "as text in the older form": changed(
        "features.json",
        lambda f: older(json.dumps(evil_feature()), proto_cls="tensorflow_datasets.FeaturesDict"),
    ),
    "as JSON in text": child(
        {
            "pythonClassName": f"{OWN}.features_dict.FeaturesDict",
            "jsonFeature": {"json": json.dumps({"a": {"type": EVIL, "content": {}}})},
        }
    ),
    "in dataset_info.json": put("dataset_info.json", "features", evil_feature()),
    "in a folder named as configuration": elsewhere,
    "in a link to the folder above": linked,
    "its module": put("dataset_info.json", "moduleName", "evil_feature"),
}


@pytest.mark.parametrize("spoil", RUNS_CODE.values(), ids=RUNS_CODE)
def test_no_code_that_a_data_set_names_is_run(sets: Path, mark: Path, spoil):
    spoil(sets)
    try:
        data.load("pets", data_dir=sets)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert spoil is RUNS_CODE["its module"]  # which nothing reads
    assert not mark.exists()


@pytest.mark.parametrize("spec", ["cifar10:9.9.9", "mnist/odd", "mnist/odd:1.*.*"])
def test_neither_under_the_name_of_a_known_one(sets: Path, mark: Path, spec: str):
    name, _, rest = spec.partition(":")
    version = rest.replace("*", "0") or "1.0.0"
    shutil.copytree(sets / "pets" / "1.0.0", sets / name / version)
    (sets / name / version / "features.json").write_text(json.dumps(evil_feature()))
    with pytest.raises(InputError, match="names the class 'evil_feature.Evil'"):
        data.load(spec, data_dir=sets)
    assert not mark.exists()


OTHERS = {
    "a path of names": (
        child(older({"names_file": "/etc/passwd"}, "ClassLabel")),
        "holds 'names_file', which is not read",
    ),
    "features nested too deep": (written("1.0.0/features.json", DEEP), "nested too deep"),
    "information nested too deep": (written("1.0.0/dataset_info.json", DEEP), "nested too deep"),
    "a configuration nested too deep": (written(".config/metadata.json", DEEP), "nested too deep"),
    "features that are no JSON": (written("1.0.0/features.json", "x"), "is not JSON"),
    "features that are a list": (written("1.0.0/features.json", "[]"), "cannot be opened"),
    "information that is a list": (written("1.0.0/dataset_info.json", "[1]"), "cannot be opened"),
    "a pipe as features": (pipe("1.0.0/features.json"), "is no plain file"),
    "a pipe as names": (pipe("1.0.0/label.labels.txt"), "is no plain file"),
    "a pipe as records": (pipe("1.0.0/pets-train.tfrecord-00000-of-00001"), "is no plain file"),
    "records elsewhere": (
        put("dataset_info.json", "splits 0 filepathTemplate", "../../../x-{SHARD_X_OF_Y}"),
        "which is not in that folder",
    ),
    "more classes than anything has": (feature(CLASSES, str(10**12)), f"has {10**12} classes"),
    "images without end": (feature(SHAPE, [str(2**40)] * 2 + ["3"]), "1 to 8192 pixels a side"),
    "another size than the images": (feature(SHAPE, ["5", "5", "3"]), "cannot be read"),
    **refused(
        "",
        {
            "records of no name": put("dataset_info.json", "splits 0 filepathTemplate", "{BOGUS}"),
            "a split of no name": changed("dataset_info.json", lambda i: i["splits"][0].clear()),
            "a version of no numbers": put("dataset_info.json", "version", "x"),
            "fewer records than none": put("dataset_info.json", "splits 0 shardLengths", ["-3"]),
            "another kind of records": put("dataset_info.json", "fileFormat", "parquet"),
        },
    ),
    "names that are not UTF-8": (
        lambda folder: (folder / "pets/1.0.0/label.labels.txt").write_bytes(b"caf\xe9\nb\nc\n"),
        "label.labels.txt' cannot be read",
    ),
    "a name with a control character": (
        written("1.0.0/label.labels.txt", "cat\x1b[31m\nb\nc\n"),
        "rename the class",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), OTHERS.values(), ids=OTHERS)
def test_spoiled_folders_are_one_line(sets: Path, spoil, message: str):
    spoil(sets)
    with pytest.raises(InputError, match="^[^\n]*$") as caught:
        data.load("pets", data_dir=sets)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "spec", ["kubric:pets", "huggingface:pets", "pets/../evil", "pets/file_format=array_record"]
)
def test_names_that_lead_to_others_are_refused(sets: Path, spec: str):
    for name in ("kubric", "huggingface"):
        (sets / name).mkdir()
    with pytest.raises(InputError, match="none of TensorFlow Datasets' names"):
        data.load(spec, data_dir=sets)


def test_the_highest_version_that_is_meant_is_read(sets: Path):
    for version in ("1.2.0", "1.10.0", "2.0.0"):
        folder = Path(shutil.copytree(sets / "pets" / "1.0.0", sets / "pets" / version))
        info = json.loads((folder / "dataset_info.json").read_text())
        (folder / "dataset_info.json").write_text(json.dumps({**info, "version": version}))
    for spec, found in (("pets", "2.0.0"), ("pets:1.*.*", "1.10.0"), ("pets:1.2.0", "1.2.0")):
        source = data.load(spec, data_dir=sets, memory_limit_bytes=1).train.fingerprint()["source"]
        assert source == f"pets/{found}:train"


@pytest.mark.parametrize("limit", [2**30, 1])
def test_nearly_black_images_are_refused(tmp_path: Path, limit: int):
    rows = examples(6)
    for row in rows:
        row["image"] = (row["image"] > 99).astype(np.uint8)
    prepare(tmp_path, "masks", {"train": rows, "test": rows})
    with pytest.raises(InputError, match="masks/1.0.0:train.* at most 1, which are nearly black"):
        data.load("masks", data_dir=tmp_path, memory_limit_bytes=limit)
