import json

import pytest

from keras_compat.errors import InputError
from keras_compat.jobs.output_folder import FINISHED, OutputFolder

CONFIG = {"seed": 0, "extractors": {"a": "resnet8"}, "maintain": ("extractor",)}


def finished(path):
    folder = OutputFolder(path, CONFIG)
    (folder.partial / FINISHED).write_text("{}")
    folder.finish()


def test_nothing_is_in_the_place_before_the_end(tmp_path):
    place = tmp_path / "a" / "run"
    folder = OutputFolder(place, CONFIG)
    (folder.partial / FINISHED).write_text("{}")
    assert not place.exists()
    folder.finish()
    assert sorted(p.name for p in place.iterdir()) == ["config.json", FINISHED]
    assert not folder.partial.exists()


def test_a_finished_run_is_replaced_only_on_request_and_only_at_the_end(tmp_path):
    finished(tmp_path / "run")
    with pytest.raises(InputError, match="holds a finished run.*--overwrite"):
        OutputFolder(tmp_path / "run", CONFIG)
    folder = OutputFolder(tmp_path / "run", CONFIG, overwrite=True)
    (folder.partial / FINISHED).write_text('{"new": 1}')
    assert (tmp_path / "run" / FINISHED).read_text() == "{}"
    folder.finish()
    assert json.loads((tmp_path / "run" / FINISHED).read_text()) == {"new": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_an_unfinished_run_of_the_same_settings_is_begun_again(tmp_path):
    (OutputFolder(tmp_path / "run", CONFIG).partial / "left").write_text("over")
    again = OutputFolder(tmp_path / "run", CONFIG)
    assert not (again.partial / "left").exists()


def test_an_unfinished_run_of_other_settings_is_not_touched(tmp_path):
    first = OutputFolder(tmp_path / "run", CONFIG)
    with pytest.raises(InputError, match="another configuration"):
        OutputFolder(tmp_path / "run", {**CONFIG, "seed": 1})
    assert json.loads((first.partial / "config.json").read_text())["seed"] == 0


def test_other_files_are_not_touched(tmp_path):
    (tmp_path / "run").mkdir()
    OutputFolder(tmp_path / "run", CONFIG).finish()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match="holds other files"):
        OutputFolder(tmp_path / "mine", CONFIG)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        OutputFolder(tmp_path / "file", CONFIG)


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"):
        OutputFolder(tmp_path / "file" / "below" / "run", CONFIG)
