import numpy as np
import pytest

from keras_compat.auxiliary import CommonClasses
from keras_compat.errors import InputError


def test_targets_are_the_shared_numbering_and_images_are_untouched():
    x = np.arange(16, dtype="float32").reshape(4, 2, 2, 1)
    task = CommonClasses([3, 1], classes=4)
    shown, targets = task.transform(x, np.array([0, 1, 3, -1], "int32"))
    assert np.array(targets).tolist() == [-1, 1, 0, -1]
    np.testing.assert_array_equal(np.array(shown), x)
    assert task.outputs == 2 and not task.transforms_images


def test_two_tasks_number_the_common_classes_alike():
    cifar = CommonClasses([3, 5], classes=10)
    stl = CommonClasses([7, 2], classes=9)
    targets = [
        np.array(task.transform(None, np.array(labels, "int32"))[1]).tolist()
        for task, labels in ((cifar, [3, 5]), (stl, [7, 2]))
    ]
    assert targets[0] == targets[1] == [0, 1]


@pytest.mark.parametrize(
    ("common", "message"),
    [([1], "needs two or more"), ([0, 9], "below 3"), ([0, 0], "distinct")],
)
def test_refuses_what_cannot_be_discriminated(common, message):
    with pytest.raises(InputError, match=message):
        CommonClasses(common, classes=3)
