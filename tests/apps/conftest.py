"""Sets of pictures that runs of several apps learn."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.experiments.two_sets import ANIMALS, MORE, THINGS, write_set


@pytest.fixture(scope="session")
def sets(made_once):
    """Specs of three sets of pictures with some classes in common, for all processes."""

    def write(folder):
        folder.mkdir()
        for seed, (name, names) in enumerate(
            {"animals": ANIMALS, "things": THINGS, "more": MORE}.items()
        ):
            write_set(folder / f"{name}.npz", names, images=(48, 60), seed=seed)

    folder = made_once("sets/all", write)
    return SimpleNamespace(
        **{name: f"npz:{folder / name}.npz" for name in ("animals", "things", "more")}
    )
