import subprocess
import sys
from pathlib import Path

import keras
import pytest


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.distribute")
def test_two_replicas_train_as_one_device_does_on_the_whole_batch():
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.replicas"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rounds, replicas, moved, apart = map(float, done.stdout.split()[-4:])
    assert (rounds, replicas) == (3, 2)
    assert moved > 0.05 and apart < 1e-5
