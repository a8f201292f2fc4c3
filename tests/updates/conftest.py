from __future__ import annotations

import pytest

from tests.attacks.update_harness import make_device


@pytest.fixture
def place(tmp_path):
    """A device with update 1 in use, and update 2 beside it."""
    return make_device(tmp_path)
