"""The schema that programs of others read manifests by."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import keras_compat.store
from keras_compat.store.manifest import SCHEMA, json_schema
from tests.store.keep_release import RELEASES

pytestmark = pytest.mark.once

KEPT = Path(keras_compat.store.__file__).with_name(f"manifest-{SCHEMA}.schema.json")
MANIFESTS = sorted(RELEASES.glob("*/*/*/*/manifest.json"))


def test_the_schema_in_the_repository_is_that_of_the_code():
    assert KEPT.read_text() == json_schema(), f"write {KEPT.name} from json_schema()"


def test_another_program_finds_kept_manifests_right_and_changed_ones_wrong():
    schema = json.loads(KEPT.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert len(MANIFESTS) > 5
    for path in MANIFESTS:
        manifest = json.loads(path.read_text())
        assert validator.is_valid(manifest), path
        for key, value in (("kind", "script"), ("schema_version", 2), ("more", 1)):
            assert not validator.is_valid({**manifest, key: value}), key
        architecture = {"name": "../x", "arguments": {}, "split": "stem"}
        for part in ("extractor", "head"):
            if manifest[part] is not None:
                changed = {**manifest[part], "architecture": architecture}
                assert not validator.is_valid({**manifest, part: changed})
