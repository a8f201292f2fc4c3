"""The component library as a user runs it."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from apps import components
from keras_compat.errors import InputError
from keras_compat.experiments.runner.item_folder import MADE_BY
from keras_compat.store import Reference, Store
from tests.apps.shell import app
from tests.experiments.two_sets import write_set
from tests.store import made

pytestmark = pytest.mark.once
NAMES = ("cat", "dog")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("images") / "animals.npz", NAMES)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A network as a job stores it."""
    from keras_compat import networks

    folder = tmp_path_factory.mktemp("networks") / "animals"
    folder.mkdir()
    architecture = "resnet8:filters=4@stage2"
    built = {"interface_channels": 8, "seed": 0}
    networks.build_extractor(architecture, (8, 8, 1), **built).save(folder / "extractor.keras")
    for name, classes in (("head", 2), ("rotation_head", 4)):
        head = networks.build_head(architecture, input_channels=8, classes=classes, seed=1)
        head.save(folder / f"{name}.keras")
    about = {
        "network": {"class_names": NAMES, "auxiliaries": ["rotation"], "photographs": False},
        "settings": {"architecture": architecture},
        "data": {"animals": {"name": "animals", "train": {"count": 48, "sha256": "0" * 64}}},
    }
    (folder / MADE_BY).write_text(json.dumps(about))
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory, network):
    url = tmp_path_factory.mktemp("parts")
    components.run(["publish", str(url), "animals@1", f"--network={network}", "--licence=MIT"])
    return str(url)


def told(capsys, *arguments):
    components.run([str(argument) for argument in arguments])
    return capsys.readouterr().out


def test_all_parts_of_a_network_are_one_family(store, capsys):
    lines = told(capsys, "list", store).splitlines()
    assert [line.split()[0] for line in lines] == [
        "component",
        "animals-extractor@1",
        "animals-head@1",
        "animals-rotation-head@1",
    ]
    found = json.loads(told(capsys, "list", store, "--json"))
    manifests = {entry["name"]: entry["manifest"] for entry in found}
    rotation = manifests["animals-rotation-head"]["files"]["weights.safetensors"]["sha256"]
    for name in ("animals-extractor", "animals-head"):
        (auxiliary,) = manifests[name]["auxiliaries"]
        assert auxiliary == {"task": "rotation", "mode": "shared", "sha256": rotation}
        assert manifests[name]["licence"] == "MIT"
        assert manifests[name]["data"][0]["images"] == 48
    family = told(capsys, "list", store, "--family=animals-head", "--kind=extractor")
    assert len(family.splitlines()) == 2


def test_from_a_pair_to_files(store, images, tmp_path, capsys):
    said = told(capsys, "recombine", store, "animals-extractor", "animals-head", "pair@1")
    assert said == "published pair@1; it needs batches of images until you adapt it\n"
    with pytest.raises(InputError, match="pair@1 normalizes by batch statistics"):
        told(capsys, "export", store, "pair", tmp_path / "shipped")
    told(capsys, "adapt", store, "pair", "pair@2", f"--images={images}", "--count=30")
    accuracy = told(capsys, "evaluate", store, "pair", f"--data={images}")
    assert accuracy.startswith("pair@2: ") and accuracy.endswith("%\n")
    said = told(capsys, "export", store, "pair", tmp_path / "shipped")
    assert len(said.splitlines()) == 3
    files = {path.name for path in (tmp_path / "shipped").iterdir()}
    assert files == {
        "saved_model",
        *("extractor.tflite", "extractor.json"),
        *("head.tflite", "head.json", "head.labels.txt"),
    }
    from keras_compat.deployment import evaluate_exported

    shown = np.load(images.partition(":")[2])["x_test"]
    parts = tuple(tmp_path / "shipped" / f"{name}.tflite" for name in ("extractor", "head"))
    server, phone = evaluate_exported([tmp_path / "shipped" / "saved_model", parts], shown)
    np.testing.assert_allclose(server, phone, atol=1e-4)
    assert f"{np.mean(server.argmax(1) == np.arange(40) % 2):.1%}" in accuracy


@pytest.fixture(scope="module")
def adapted(store, images):
    """A network with moving statistics."""
    components.run(["recombine", store, "animals-extractor", "animals-head", "adapted@1"])
    components.run(["adapt", store, "adapted@1", "adapted@2", f"--images={images}"])
    return "adapted@2"


def test_all_formats_in_all_parts(store, adapted, images, tmp_path, capsys):
    flags = ("--formats=litert,onnx", "--parts=extractor,head,network", "--uint8_input")
    eight = ("--quantization=float32,int8", f"--images={images}", "--count=30")
    told(capsys, "export", store, adapted, tmp_path, *flags, *eight)
    parts = ("extractor", "head", "network")
    endings = (".tflite", ".json", "_int8.tflite", "_int8.json", ".onnx")
    labels = {f"{n}{q}.labels.txt" for n in parts[1:] for q in ("", "_int8")}
    expected = {n + ending for n in parts for ending in endings} | labels
    assert {path.name for path in tmp_path.iterdir()} == expected
    assert (tmp_path / "network_int8.labels.txt").read_text() == "cat\ndog\n"
    about = {
        n: json.loads((tmp_path / f"{n}.json").read_text())["input"]["type"]
        for n in ("network", "network_int8", "extractor_int8", "head_int8")
    }
    assert list(about.values()) == ["float32", "uint8", "uint8", "float32"]
    from keras_compat.deployment import evaluate_exported

    shown = np.load(images.partition(":")[2])["x_test"]
    files = [
        tuple(tmp_path / f"{n}{ending}" for n in names)
        for ending in (".tflite", "_int8.tflite", ".onnx")
        for names in (parts[2:], parts[:2])
    ]
    one, two, *eight_bits, whole, apart = evaluate_exported(files, shown)
    for found in (two, whole, apart):
        np.testing.assert_allclose(found, one, atol=1e-4)
    for found in eight_bits:
        assert 0 < np.abs(found - one).mean() < 0.3 * one.std()


def test_probabilities_are_written_where_they_are_asked_for(store, adapted, tmp_path, capsys):
    flags = ("--formats=litert", "--parts=head,network", "--probabilities")
    told(capsys, "export", store, adapted, tmp_path, *flags)
    for part in ("head", "network"):
        about = json.loads((tmp_path / f"{part}.json").read_text())["output"]
        assert about["name"] == about["values"] == "probabilities"
    from keras_compat.deployment import evaluate_exported

    shown = np.zeros((2, 8, 8, 1), "uint8") + np.array([0, 200], "uint8")[:, None, None, None]
    (found,) = evaluate_exported([(tmp_path / "network.tflite",)], shown)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_a_folder_that_cannot_be_made_is_one_line(store, adapted, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written: .*file is no folder"):
        components.run(["export", store, adapted, str(tmp_path / "file" / "out")])


def test_a_head_learns_a_class_more_and_stays_of_the_family(store, tmp_path, capsys):
    images = write_set(tmp_path / "more.npz", ("frog", "dog", "cat"), images=(96, 60))
    arguments = ("retrain", store, "animals-extractor", "animals-head")
    how = ("--rounds=40", "--batch_size=16", "--seed=3")
    said = told(capsys, *arguments, "animals-head@2", f"--data={images}", *how).splitlines()[-1]
    assert said.startswith("published animals-head@2; it knows 3 classes and is right on ")
    manifests = {n: Store(store).manifest(Reference("animals-head", n)) for n in ("1", "2")}
    assert manifests["2"].class_names == ("cat", "dog", "frog")
    assert manifests["2"].auxiliaries == manifests["1"].auxiliaries
    assert {parent.name for parent in manifests["2"].parents} == {
        *("animals-extractor", "animals-head")
    }
    # The extractor is as it was: so it has what the head has learnt, and all of it.
    accuracy = manifests["2"].metrics["accuracy on animals-extractor@1"]
    assert accuracy > 0.5
    told(capsys, "recombine", store, "animals-extractor", "animals-head@2", "more-animals@1")
    assert told(capsys, "evaluate", store, "more-animals", f"--data={images}") == (
        f"more-animals@1: {accuracy:.1%}\n"
    )
    # It says itself what it tells there, so that a check has something to compare with.
    flags = (store, "animals-extractor", "animals-head@2", f"--images={images}", "--json")
    found = json.loads(told(capsys, "check", *flags))
    assert found["own_information"] == manifests["2"].metrics["information"]
    assert found["signals"]["recovered"] == pytest.approx(1, abs=0.2)
    assert found["verdict"] == "works"
    told(capsys, "remove", store, "animals-head@2")


def test_all_parts_of_a_run_are_one_family(tmp_path, images, capsys):
    run = tmp_path / "run"
    (run / "components").mkdir(parents=True)
    made.extractor().extractor.save(run / "components" / "small_phone_extractor.keras")
    made.head().head.save(run / "components" / "head.keras")
    made.rotation_head().head.save(run / "components" / "rotation_head.keras")
    config = {
        "extractors": {"small_phone": made.EXTRACTOR},
        "head": made.HEAD,
        "rotation": True,
        "reference": "small_phone",
        "initial_classes": "dog,cat",
        "aliases": {},
    }
    (run / "config.json").write_text(json.dumps(config))
    about = {"class_names": ["cat", "dog", "frog"], "name": "animals", "train": {"count": 9}}
    metrics = {"experiment": "classifier_transfer", "data": {"animals": about}}
    (run / "metrics.json").write_text(json.dumps(metrics))
    store = Store(tmp_path / "parts")
    flags = (f"--run={run}", "--licence=MIT", f"--images={images}")
    said = told(capsys, "publish", store.url, "zoo@3", *flags)
    names = ("zoo-rotation-head@3", "zoo-small-phone-extractor@3", "zoo-head@3")
    assert said.splitlines() == [f"published {name}" for name in names]
    manifests = [store.manifest(Reference.parse(name)) for name in names]
    assert len(frozenset.union(*(m.families for m in manifests))) == 1
    assert manifests[2].class_names == ("dog", "cat")
    assert {m.licence for m in manifests} == {"MIT"} and manifests[1].data[0].images == 9
    assert manifests[2].metrics["information"] > 0 and manifests[2].feature_statistics
    del config["extractors"]
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="no run of classifier transfer .KeyError: 'extractors"):
        told(capsys, "publish", store.url, "zoo@4", f"--run={run}")


def test_a_check_has_the_rotation_head_of_the_family(store, images, capsys):
    arguments = ("check", store, "animals-extractor", "animals-head", f"--images={images}")
    found = json.loads(told(capsys, *arguments, "--count=40", "--json"))
    assert found["images"] == 40 and found["family"] == 1
    assert set(found["signals"]) == {
        *("information", "recovered", "confidence", "agreement", "rotation")
    }
    said = told(capsys, *arguments)
    assert "1 auxiliary head(s) in common" in said
    *_, verdict, caution = said.splitlines()
    assert verdict == f"as far as can be told without labels, it {found['verdict']}"
    assert caution.startswith("what the head tells on its own extractor is not known")


def test_a_head_published_with_images_says_what_it_tells_there(network, images, tmp_path, capsys):
    flags = (f"--network={network}", f"--images={images}", "--count=40")
    told(capsys, "publish", tmp_path, "told@1", *flags)
    arguments = ("check", tmp_path, "told-extractor", "told-head", f"--images={images}")
    found = json.loads(told(capsys, *arguments, "--count=40", "--json"))
    own = Store(tmp_path).manifest(Reference("told-head", "1")).metrics["information"]
    # The same extractor and the same images.
    assert found["own_information"] == own == pytest.approx(found["signals"]["information"])
    assert found["signals"]["features"] == pytest.approx(1)
    assert "is not known" not in told(capsys, *arguments, "--count=40")


@pytest.mark.parametrize(
    ("recovered", "verdict"),
    [(0.9, "works"), (0.5, "works"), (0.3, "works in part"), (0.19, "does not work")],
)
def test_a_verdict_is_by_what_is_recovered_alone(recovered, verdict):
    from keras_compat.experiments.components.operations import Check

    signals = {"recovered": recovered, "agreement": 1.0, "rotation": 1.0}
    assert Check(signals, 500, family=1).verdict == verdict


def test_a_part_of_a_pair_is_checked_with_its_own_family(store, images, capsys):
    told(capsys, "recombine", store, "animals-extractor", "animals-head", "whole@1")
    found = json.loads(
        told(capsys, "check", store, "whole@1", "animals-head", f"--images={images}", "--json")
    )
    assert found["family"] == 1 and "rotation" in found["signals"]


def test_files_of_ones_own(store, images, tmp_path, capsys):
    made.extractor().extractor.save(tmp_path / "phone.keras")
    flags = (f"--extractor={tmp_path}/phone.keras", f"--architecture={made.EXTRACTOR}")
    family = "--auxiliaries=animals-rotation-head@1=frozen"
    told(capsys, "publish", store, "phone@1", *flags, family, "--metrics=accuracy=0.5")
    found = Store(store).manifest(Reference("phone", "1"))
    assert found.auxiliaries[0].mode == "frozen" and found.metrics == {"accuracy": 0.5}
    told(capsys, "publish", store, "phone@2", *flags)
    said = told(capsys, "recombine", store, "phone@2", "animals-head", "phone-animals@1")
    assert said.startswith("warning: phone@2 and animals-head@1 share no auxiliary head")
    with pytest.raises(InputError, match="has phone@2 already"):
        told(capsys, "publish", store, "phone@2", *flags)
    with pytest.raises(InputError, match="is not mobilenet_v2_small@block1 as this package"):
        told(capsys, "publish", store, "phone@3", flags[0], f"{flags[1][:-1]}1")


def test_a_head_reaches_a_device(store, images, tmp_path, capsys):
    from keras_compat.updates import device_client

    phone, archive = tmp_path / "phone", tmp_path / "animals-1.zip"
    flags = ("--updates=animals", f"--images={images}", "--quantization=int8")
    said = told(capsys, "install", store, "animals-extractor", phone, *flags)
    assert said == f"{phone}: animals-extractor@1 in int8, takes updates of animals\n"
    flags = (f"--devices={phone}", f"--data={images}", "--number=1")
    (measured,) = json.loads(
        told(capsys, "update", store, "animals-head", archive, *flags, "--json")
    )
    device_client.apply(phone, archive)
    classifier = device_client.Classifier(phone)
    shown = np.load(images.partition(":")[2])
    names = np.array([classifier.classify(image)[0] for image in shown["x_test"]])
    assert np.mean(names == np.array(NAMES)[shown["y_test"]]) == measured["accuracy"]
    head = (phone / "heads" / "1" / "head.tflite").stat().st_size
    assert head < measured["update_bytes"] < head + 4_000
    assert measured["whole_bytes"] == head + (phone / "extractor.tflite").stat().st_size
    assert told(capsys, "receive", store, archive, "received@1") == "published received@1\n"
    found = [Store(store).manifest_bytes(Reference(n, "1")) for n in ("animals-head", "received")]
    assert found[0] == found[1]
    with pytest.raises(InputError, match="animals-1.zip exists"):
        told(capsys, "update", store, "animals-head", archive, *flags)


def test_aliases_and_removing(store, network, capsys):
    told(capsys, "publish", store, "more@1", f"--network={network}")
    said = told(capsys, "alias", store, "more-head@1", "production")
    assert said == "more-head@production is more-head@1\n"
    assert "production" in told(capsys, "list", store, "--kind=head")
    with pytest.raises(InputError, match="more-head@production"):
        told(capsys, "remove", store, "more-head@1")
    assert told(capsys, "remove", store, "more-extractor@1") == "removed more-extractor@1\n"
    said = told(capsys, "alias", store, "more-head", "production", "--remove")
    assert said == "removed more-head@production\n"
    assert "0 fault(s)" in told(capsys, "verify", store)


def test_a_card_is_shown_and_a_manifest(store, capsys):
    said = told(capsys, "show", store, "animals-head")
    assert said.startswith("# animals-head@1") and "2 classes: cat, dog" in said
    found = json.loads(told(capsys, "show", store, "animals-head", "--json"))
    assert found["class_names"] == ["cat", "dog"]


def test_what_a_stranger_wrote_in_a_card_is_not_shown(network, tmp_path, capsys):
    told(capsys, "publish", tmp_path, "animals@1", f"--network={network}")
    card = tmp_path / "animals-head" / "1" / "README.md"
    card.write_bytes(b"\x1b[2Jlicence: MIT, verified" + card.read_bytes())
    assert "\x1b" not in told(capsys, "show", tmp_path, "animals-head")


def test_what_was_measured_with_other_statistics_is_not_kept(store, images, capsys):
    from keras_compat.store import load, pack

    at = Reference.parse
    told(capsys, "recombine", store, "animals-extractor", "animals-head", "measured@1")
    component = load(Store(store), at("measured@1"))
    Store(store).publish(at("measured@2"), pack(replace(component, metrics={"accuracy": 0.99})))
    told(capsys, "adapt", store, "measured@2", "measured@3", f"--images={images}")
    assert Store(store).manifest(at("measured@3")).metrics == {}


def test_the_rotation_head_is_the_one_of_the_family_and_no_other(store, images, capsys):
    from keras_compat import networks
    from keras_compat.experiments.components import operations
    from keras_compat.store import Component, auxiliary_record, pack

    library, at = Store(store), Reference.parse
    rotation = library.package(at("animals-rotation-head@1"))
    model = networks.build_head("resnet8:filters=4", input_channels=8, classes=30, seed=0)
    component = Component(
        head=model,
        head_architecture="resnet8:filters=4",
        task="jigsaw",
        auxiliaries=[auxiliary_record(rotation, "frozen")],
    )
    library.publish(at("a-jigsaw-head@1"), pack(component))
    found = operations._rotation_head(library, library.manifest(at("animals-head@1")))
    assert found.output_shape == (None, 4)


def test_what_is_wrong_is_listed_and_ends_with_one(network, tmp_path, capsys):
    told(capsys, "publish", tmp_path, "animals@1", f"--network={network}")
    file = tmp_path / "animals-head" / "1" / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(SystemExit) as caught:
        told(capsys, "verify", tmp_path)
    assert caught.value.code == 1
    said = capsys.readouterr().out
    assert said.startswith("animals-head/1: weights.safetensors of animals-head@1 has")


BAD = {
    "publish STORE x@1": "expected --network, or --run, or --component",
    "publish STORE x@1 --run=nowhere": "holds no run of classifier transfer",
    "publish STORE x@1 --head=a.keras": "--architecture is missing",
    "publish STORE X@1 --network=a": "'X' is no name",
    "publish STORE x@1 --network=nowhere": "holds no stored network",
    "publish STORE x@1 --head=no.keras --architecture=resnet8": "is no .keras file",
    "publish STORE x@1 --head=a --architecture=b --auxiliaries=r@1=on": "expected shared or frozen",
    "list STORE --kind=part": "--kind is 'part'",
    "list nowhere://x": "cannot be opened",
    "show STORE nothing": "has no nothing@latest",
    "check STORE nothing nothing --images=digits": "has no nothing@latest",
    "check STORE EXTRACTOR HEAD --images=a --count=1": "--count is 1",
    "evaluate STORE HEAD --data=digits": "expected a network",
    "retrain STORE EXTRACTOR HEAD HEAD@2 --data=digits": "has no class 'cat', 'dog', which",
    "retrain STORE EXTRACTOR HEAD HEAD@1 --data=digits": "has animals-head@1 already",
    "retrain STORE EXTRACTOR HEAD HEAD@2 --data=digits --rounds=0": "rounds is 0",
    "retrain STORE EXTRACTOR HEAD HEAD@2 --data=digits --seed=-1": "seed is -1",
    "retrain STORE EXTRACTOR HEAD HEAD --data=digits": "animals-head@latest names an alias",
    "export STORE HEAD x --formats=h5": "--formats is 'h5'",
    "install STORE HEAD x --updates=a": "has no extractor",
    "install STORE EXTRACTOR x --updates=A": "'A' is no name",
    "install STORE EXTRACTOR x --updates=a --quantization=int4": "'int4'; did you mean 'int8'",
    "install STORE EXTRACTOR x --updates=a": "batch statistics; expected images without labels",
    "update STORE HEAD x --devices=no --number=1 --data=a": "no: device.json cannot be read",
    "receive STORE nothing.zip x@1": "'nothing.zip' cannot be read",
    "export STORE HEAD x --parts=tail": "--parts is 'tail'; expected of extractor, head, network",
    "export STORE HEAD x --quantization=int4": "--quantization is 'int4'; expected of float32",
    "export STORE HEAD x --quantization=float16,int8": "--images is None; expected images",
    "export STORE HEAD x --images=digits": "expected images with int8",
    "export STORE HEAD x --formats=onnx --quantization=dynamic": "without litert in --formats",
    "export STORE HEAD x --uint8_input": "--uint8_input is given without int8",
    "export STORE HEAD x --probabilities --formats=saved_model": "--probabilities is given without",
    "export STORE HEAD x --probabilities --parts=extractor": "--probabilities is given without",
    "export STORE HEAD x --uint8_input --parts=head --quantization=int8 --images=a": "or a part",
    "export STORE HEAD x --quantization=int8 --images=a --count=1": "--count is 1",
    "alias STORE HEAD@1 latest": "cannot be set as an alias",
    "recombine STORE HEAD HEAD x@1": "expected one with extr",
}


@pytest.mark.parametrize("command", BAD)
def test_bad_input_is_one_line(command, store):
    before = sorted(path for path in Path(store).rglob("*") if ".staging" not in path.parts)
    words = command.replace("HEAD", "animals-head").replace("EXTRACTOR", "animals-extractor")
    with pytest.raises(InputError, match=BAD[command]) as caught:
        components.run([store if word == "STORE" else word for word in words.split()])
    assert "\n" not in str(caught.value)
    after = sorted(path for path in Path(store).rglob("*") if ".staging" not in path.parts)
    assert before == after


def test_from_a_shell(store):
    done = app("components", "list", store, "--kind=head")
    assert (done.returncode, done.stderr) == (0, "") and "animals-head@1" in done.stdout
    assert "keras" in sys.modules  # of this process; listing in its own takes no second
