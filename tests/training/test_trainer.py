import keras
import numpy as np
import pytest

from keras_compat.auxiliary import CommonClasses, RotationPrediction
from keras_compat.data import Examples
from keras_compat.errors import InputError
from keras_compat.training import (
    AuxiliaryHead,
    NonFiniteLoss,
    StopOnNonFinite,
    Task,
    Trainer,
)
from keras_compat.training.batches import InOrder
from keras_compat.training.state import read_state, write_state
from tests.training.small import (
    assert_close,
    data,
    eager,
    extractor,
    head,
    joint_trainer,
    same,
    weights,
)

DATA = {"a": data(seed=1), "b": data(seed=2)}


def fit(trainer, rounds=3, **options):
    return trainer.fit(DATA, batch_size=8, steps_per_epoch=rounds, verbose=0, **options)


def adam():
    """Adam whose rate falls after the third round, so that the state of the schedule shows."""
    return keras.optimizers.Adam(
        keras.optimizers.schedules.PiecewiseConstantDecay([3], [0.02, 0.01])
    )


@pytest.fixture(scope="module")
def compiled():
    """A joint trainer that is compiled once for the module, and its first state."""
    trainer = joint_trainer(assignment="random")
    trainer.compile(adam())
    trainer.track_learnt()
    return trainer, read_state(trainer)


@pytest.fixture
def reset(compiled):
    """Returns a function that puts the module's trainer back to its first state."""
    trainer, state = compiled

    def again():
        write_state(trainer, state)
        return trainer

    return again


@pytest.fixture
def trainer(reset):
    return reset()


def fit_one(trainer, rounds=3, **options):
    how = {"batch_size": 8, "steps_per_epoch": rounds, "verbose": 0}
    return trainer.fit({"a": DATA["a"]}, **how, **options)


def test_a_round_updates_every_part_that_learns(trainer):
    before = {name: weights(part) for name, part in trainer.parts.items()}
    history = fit(trainer)
    for name, part in trainer.parts.items():
        changed = [
            not np.array_equal(x, y) for x, y in zip(before[name], weights(part), strict=True)
        ]
        assert all(changed), f"{name}: {changed}"
    assert set(history.history) == {
        "loss",
        *(
            f"{task}_{what}"
            for task in "ab"
            for what in (
                "loss",
                "accuracy",
                "rotation_loss",
                "rotation_accuracy",
                "common_classes_loss",
                "common_classes_accuracy",
            )
        ),
    }


def test_training_learns_the_classes(trainer):
    fit(trainer, rounds=80)
    logs = trainer.evaluate(DATA, batch_size=24, verbose=0, return_dict=True)
    assert logs["a_accuracy"] > 0.9 and logs["b_accuracy"] > 0.9


def state_of(trainer, parts):
    """Returns the optimizer's state of some parts, by name."""
    groups = [g for g in trainer.optimizer._groups if g.addresses[0].startswith(parts)]
    return {v.name: np.array(v.value) for g in groups for v in g.optimizer.variables}


@pytest.mark.parametrize("when", ["before", "after", "between"])
def test_frozen_parts_keep_their_weights_and_their_momentum(when):
    trainer = joint_trainer()
    frozen = [trainer.parts["rotation_head"], trainer.parts["a_extractor"]]

    def freeze():
        for part in frozen:
            part.trainable = False

    if when == "before":
        freeze()
    eager(trainer, keras.optimizers.SGD(0.05, momentum=0.9))
    if when == "between":
        fit(trainer, rounds=2)
    if when != "before":
        freeze()
    parts_before = [weights(part) for part in frozen]
    slots = state_of(trainer, ("rotation_head/", "a_extractor/"))
    other = weights(trainer.parts["b_extractor"])
    fit(trainer)
    assert all(same(x, weights(part)) for x, part in zip(parts_before, frozen, strict=True))
    assert not same(other, weights(trainer.parts["b_extractor"]))
    after = state_of(trainer, ("rotation_head/", "a_extractor/"))
    assert set(after) == set(slots) and bool(slots) == (when == "between")
    assert all(np.array_equal(after[name], value) for name, value in slots.items())


def test_a_compiled_step_follows_what_is_frozen():
    trainer = joint_trainer(("a",), common=False)
    part = trainer.parts["a_head"]
    trainer.compile("adam")
    for learns in (False, True):
        part.trainable = learns
        before = weights(part)
        fit_one(trainer)
        assert same(before, weights(part)) != learns


def test_freezing_one_layer_of_a_part_keeps_the_state_of_the_others():
    trainer = joint_trainer(("a",), common=False)
    eager(trainer, keras.optimizers.Adam(0.01))
    fit_one(trainer, 2)
    layer = trainer.parts["a_head"].layers[1]
    other = trainer.parts["a_head"].layers[-1]
    layer.trainable = False
    frozen, learning = weights(layer), weights(other)
    fit_one(trainer, 3)
    assert same(frozen, weights(layer)) and not same(learning, weights(other))
    counts = {
        address: int(group.optimizer.iterations.numpy())
        for group in trainer.optimizer._groups
        for address in group.addresses
        if address.startswith("a_head/")
    }
    assert counts["a_head/0"] == 2 and counts[max(counts)] == 5


def test_every_variable_counts_its_own_updates_and_schedules_count_rounds():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([2], [0.1, 0.0])
    trainer = joint_trainer(("a", "b", "c"), common=False)
    eager(trainer, keras.optimizers.Adam(schedule))
    three = {name: data(seed=4) for name in "abc"}
    trainer.fit(three, batch_size=8, steps_per_epoch=2, verbose=0)
    # PiecewiseConstantDecay holds its first value up to and with step 2: one more round learns.
    trainer.fit(three, batch_size=8, steps_per_epoch=1, verbose=0)
    learnt = [
        [np.array(v.value) for v in part.trainable_variables] for part in trainer.parts.values()
    ]
    trainer.fit(three, batch_size=8, steps_per_epoch=1, verbose=0)
    counts = {
        group.addresses[0].split("/")[0]: int(group.optimizer.iterations.numpy())
        for group in trainer.optimizer._groups
    }
    assert counts["rotation_head"] == 12
    assert {counts[f"{n}_extractor"] for n in "abc"} == {4}
    assert trainer.rounds == 4
    for part, values in zip(trainer.parts.values(), learnt, strict=True):
        assert same(values, [np.array(v.value) for v in part.trainable_variables])


@pytest.mark.parametrize("optimizer", [keras.optimizers.Adam, keras.optimizers.SGD])
@pytest.mark.parametrize("shares", ["head", "layer"])
def test_what_two_tasks_share_takes_a_step_of_each_with_a_count_of_its_own(optimizer, shares):
    """Two tasks with the same gradient: the weights move as in two plain steps."""

    def part(name, layer):
        x = keras.Input((2,))
        return keras.Model(x, layer(x), name=name)

    identity = keras.layers.Dense(2, use_bias=False, kernel_initializer="identity")
    identity.trainable = False
    layer = keras.layers.Dense(2, use_bias=False, kernel_initializer="zeros")
    heads = {n: part(f"{n}_head", layer) for n in "ab"}
    if shares == "head":
        heads["b"] = heads["a"]
    trainer = Trainer([Task(n, part(f"{n}_extractor", identity), heads[n]) for n in "ab"])
    trainer.compile(optimizer(0.1))
    source = (np.ones((4, 2), "float32"), np.zeros(4, "int32"))
    trainer.fit({"a": source, "b": source}, batch_size=4, steps_per_epoch=1, verbose=0)

    plain, own = keras.Variable(np.zeros((2, 2), "float32")), optimizer(0.1)
    own.build([plain])
    for _ in range(2):
        logits = np.ones((1, 2)) @ np.array(plain.value)
        p = np.exp(logits) / np.exp(logits).sum()
        gradient = np.ones((2, 1)) @ (p - np.array([[1.0, 0.0]]))
        own.apply([keras.ops.convert_to_tensor(gradient.astype("float32"))], [plain])
    np.testing.assert_allclose(np.array(layer.kernel.value), np.array(plain.value), rtol=1e-5)


def test_weight_decay_is_decoupled_and_reaches_a_shared_head_once_an_update():
    trainer = joint_trainer(common=False)
    rate, decay = 0.1, 0.5
    eager(trainer, keras.optimizers.SGD(rate, weight_decay=decay))
    reference = eager(joint_trainer(common=False), keras.optimizers.SGD(rate))
    nothing = {n: (x, np.full_like(y, -1)) for n, (x, y) in DATA.items()}
    for model in (trainer, reference):
        for task in model.tasks.values():
            task.auxiliaries[0].loss_weight = 0.0
    start = weights(trainer.parts["rotation_head"])[0]
    for model in (trainer, reference):
        model.fit(nothing, batch_size=8, steps_per_epoch=1, verbose=0)
    np.testing.assert_array_equal(weights(reference.parts["rotation_head"])[0], start)
    expected = start * (1 - rate * decay) ** 2
    np.testing.assert_allclose(weights(trainer.parts["rotation_head"])[0], expected, rtol=1e-5)


def test_the_global_norm_of_a_tasks_gradient_is_clipped_over_all_its_parts():
    trainer = joint_trainer(("a",), common=False)
    eager(trainer, keras.optimizers.SGD(1.0, global_clipnorm=1e-3))
    before = [np.array(v.value) for v in trainer.trainable_variables]
    fit_one(trainer, 1)
    after = [np.array(v.value) for v in trainer.trainable_variables]
    moved = np.sqrt(sum(np.sum((x - y) ** 2) for x, y in zip(before, after, strict=True)))
    assert moved == pytest.approx(1e-3, rel=1e-3)


def test_the_data_of_a_round_depends_on_its_number_alone(reset):
    whole = weights(fit(reset(), rounds=6).model)
    parts = reset()
    fit(parts, rounds=4)
    fit(parts, rounds=2)
    assert_close(whole, parts, rtol=1e-6, atol=1e-7)


def test_saved_mid_run_and_loaded_it_goes_on_as_if_nothing_had_been(reset, tmp_path):
    whole = weights(fit(reset(), rounds=6).model)
    half = reset()
    fit(half, rounds=3)
    half.save(tmp_path / "half.keras")
    loaded = keras.saving.load_model(tmp_path / "half.keras")
    assert loaded.rounds == 3
    assert loaded.tasks["a"].auxiliaries[0].head is loaded.tasks["b"].auxiliaries[0].head
    fit(loaded, rounds=3)
    assert_close(whole, loaded, rtol=2e-5)


def test_early_stopping_tensorboard_and_validation_work(trainer, tmp_path):
    # No loss falls by so much.
    how = {"patience": 1, "mode": "min", "min_delta": 1e9}
    callbacks = [keras.callbacks.EarlyStopping("val_a_loss", **how)]
    if keras.backend.backend() == "tensorflow":
        callbacks.append(keras.callbacks.TensorBoard(tmp_path))
    history = fit(trainer, rounds=1, epochs=6, validation_data=DATA, callbacks=callbacks)
    assert len(history.history["loss"]) == 2
    assert "val_b_accuracy" in history.history
    if keras.backend.backend() == "tensorflow":
        assert list(tmp_path.rglob("events.out.tfevents.*"))


def test_evaluate_counts_every_example_once_and_none_twice(trainer):
    uneven = {"a": data(20, seed=1), "b": data(7, seed=2)}
    logs = trainer.evaluate(uneven, batch_size=10, verbose=0, return_dict=True)
    total = 0.0
    for name in "ab":
        task = trainer.tasks[name]
        right = 0
        for images, labels in Examples(*uneven[name]).evaluation_batches(10):
            logits = task.head(task.extractor(images.astype("float32")))
            right += int((np.argmax(np.array(logits), -1) == labels).sum())
        assert logs[f"{name}_accuracy"] == pytest.approx(right / len(uneven[name][1]))
        total += sum(logs[f"{name}_{of}loss"] for of in ("", "rotation_", "common_classes_"))
    assert logs["loss"] == pytest.approx(total, rel=1e-5)


def test_predict_gives_each_tasks_logits(trainer):
    images = DATA["a"][0]
    shared = trainer.predict(images, batch_size=24, verbose=0)
    own = trainer.predict({"a": images, "b": DATA["b"][0][:5]}, batch_size=24, verbose=0)
    assert {k: v.shape for k, v in own.items()} == {"a": (24, 3), "b": (5, 3)}
    np.testing.assert_allclose(shared["a"], own["a"], rtol=1e-5, atol=1e-6)


def test_predict_leaves_no_image_to_be_normalized_alone(trainer):
    images = np.concatenate([DATA["a"][0], DATA["b"][0]])[:33]
    predicted = trainer.predict({"a": images}, batch_size=32, verbose=0)["a"]
    task = trainer.tasks["a"]
    for part in (slice(0, 17), slice(17, 33)):
        logits = task.head(task.extractor(images[part].astype("float32")))
        np.testing.assert_allclose(predicted[part], np.array(logits), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="expected tasks with a head"):
        trainer.predict({"z": images}, verbose=0)


def test_validation_does_not_change_training(reset):
    left = []
    for validation in (None, DATA):
        trainer = reset()
        fit(trainer, rounds=2, epochs=2, validation_data=validation)
        assert trainer.rounds == 4
        left.append(weights(trainer))
    assert_close(*left)


def test_backup_and_restore_goes_on_with_the_data_of_its_round(reset, tmp_path, monkeypatch):
    class Killed(Exception):
        pass

    def kill(epoch, logs):
        if epoch == 1:
            raise Killed

    whole = weights(fit(reset(), rounds=2, epochs=3).model)
    backup = keras.callbacks.BackupAndRestore(tmp_path)
    with pytest.raises(Killed):
        stop = keras.callbacks.LambdaCallback(on_epoch_end=kill)
        fit(reset(), rounds=2, epochs=3, callbacks=[stop, backup])
    second = reset()
    # The callback sets where Keras begins, which is no state of ours.
    monkeypatch.setattr(second, "_initial_epoch", None)
    fit(second, rounds=2, epochs=3, callbacks=[keras.callbacks.BackupAndRestore(tmp_path)])
    assert second.rounds == 6
    assert_close(whole, second, rtol=1e-4, atol=1e-5)


def test_iterated_minibatches_are_all_used_and_end_with_a_clear_error():
    seen = []

    def stream():
        for start in range(0, 24, 8):
            seen.append(start)
            yield DATA["a"][0][start : start + 8], DATA["a"][1][start : start + 8]

    trainer = joint_trainer(("a",))
    trainer.compile("sgd", run_eagerly=True)
    trainer.fit({"a": list(stream())}, epochs=2, verbose=0)
    assert trainer.rounds == 6
    once = InOrder(iter([1, 2]).__iter__, repeat=True)
    assert [once[i] for i in (0, 1, 0, 1)] == [1, 2, 1, 2]
    with pytest.raises(ValueError, match="ended after 2 minibatches"):
        once[2]


def test_what_is_excluded_from_weight_decay_stays_so_after_a_reload(tmp_path):
    optimizer = keras.optimizers.SGD(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["kernel"])
    trainer = joint_trainer(("a",), common=False)
    eager(trainer, optimizer)
    trainer.save(tmp_path / "t.keras")
    for model in (trainer, keras.saving.load_model(tmp_path / "t.keras")):
        task = model.tasks["a"]
        task.auxiliaries[0].loss_weight = 0.0
        kernels = [v for v in task.head.trainable_variables if "kernel" in v.path]
        before = [np.array(v.value) for v in kernels]
        nothing = (DATA["a"][0], np.full(24, -1))
        model.fit({"a": nothing}, batch_size=8, steps_per_epoch=1, verbose=0)
        assert same(before, [np.array(v.value) for v in kernels])
        assert np.all(np.array(task.head.layers[2].gamma.value) < 1)


@pytest.mark.parametrize("options", [{"run_eagerly": True}, {"steps_per_execution": 2}])
def test_eager_and_several_steps_an_execution_train_the_same(trainer, options):
    other = joint_trainer(assignment="random")
    other.compile(adam(), **options)
    for each in (trainer, other):
        fit(each, rounds=4)
    assert other.rounds == 4
    assert_close(trainer, other, rtol=1e-4, atol=1e-4)


def test_data_may_be_a_pydataset_or_any_iterable_of_minibatches(trainer):
    class Batches(keras.utils.PyDataset):
        @property
        def num_batches(self):
            return 3

        def __getitem__(self, index):
            images, labels = DATA["a"]
            return images[index * 8 : index * 8 + 8], labels[index * 8 : index * 8 + 8]

    history = trainer.fit(
        {"a": Batches(), "b": [(DATA["b"][0][:8], DATA["b"][1][:8])]}, steps_per_epoch=5, verbose=0
    )
    assert trainer.rounds == 5 and np.isfinite(history.history["loss"][0])


def test_data_may_be_a_tf_dataset(trainer):
    tf = pytest.importorskip("tensorflow")
    sets = {n: tf.data.Dataset.from_tensor_slices(d).batch(8) for n, d in DATA.items()}
    trainer.fit(sets, verbose=0)
    assert trainer.rounds == 3
    logs = trainer.evaluate(sets, verbose=0, return_dict=True)
    assert 0 <= logs["a_accuracy"] <= 1


def test_adaptation_needs_no_labels_and_moves_the_extractor_alone():
    rotation_head = head("rotation_head", 4)
    rotation_head.trainable = False
    task = Task(
        "a", extractor("a_extractor"), None, [AuxiliaryHead(RotationPrediction(), rotation_head)]
    )
    trainer = eager(Trainer([task]), "adam")
    frozen, learning = weights(rotation_head), weights(task.extractor)
    history = trainer.fit({"a": (DATA["a"][0],)}, batch_size=8, verbose=0)
    assert same(frozen, weights(rotation_head)) and not same(learning, weights(task.extractor))
    assert set(history.history) == {"loss", "a_rotation_loss", "a_rotation_accuracy"}


def test_batches_without_a_common_class_give_zero_loss_and_no_nan():
    task = Task(
        "a",
        extractor("a_extractor"),
        head("a_head"),
        [AuxiliaryHead(CommonClasses([0, 1], 3), head("common_head", 2))],
    )
    trainer = eager(Trainer([task]), "sgd")
    images = DATA["a"][0]
    before = weights(task.auxiliaries[0].head)[0]
    history = trainer.fit({"a": (images, np.full(len(images), 2))}, batch_size=8, verbose=0)
    assert history.history["a_common_classes_loss"] == [0.0]
    assert history.history["a_common_classes_accuracy"] == [0.0]
    assert np.isfinite(history.history["loss"][0])
    np.testing.assert_array_equal(before, weights(task.auxiliaries[0].head)[0])


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_weights():
    trainer = joint_trainer(("a",), common=False)
    trainer.compile(keras.optimizers.SGD(0.01))
    fit_one(trainer, 2)
    trainer.optimizer.learning_rate = 1e30
    with pytest.raises(NonFiniteLoss, match=r"task 'a' is not finite since round \d+"):
        fit_one(trainer, 20, callbacks=[StopOnNonFinite(every=1)])
    assert all(np.isfinite(w).all() for w in weights(trainer))


def test_weights_broken_by_the_last_update_are_seen_and_put_back():
    trainer = joint_trainer(("a",), common=False)
    eager(trainer, keras.optimizers.SGD(1e-35, weight_decay=1e30))
    fit_one(trainer, 2)
    good = weights(trainer.parts["a_head"])
    # The loss of the third round is finite; the decay of its update is not.
    trainer.optimizer.learning_rate = 1e30
    with pytest.raises(NonFiniteLoss, match="weights are not finite after round 3"):
        fit_one(trainer, 1, callbacks=[StopOnNonFinite()])
    assert same(good, weights(trainer.parts["a_head"]))
    assert trainer.rounds == 2


def test_clear_errors():
    trainer = joint_trainer()
    trainer.compile("sgd")
    with pytest.raises(ValueError, match="expected a mapping with one entry for each of the tasks"):
        trainer.fit({"a": DATA["a"]}, verbose=0)
    with pytest.raises(ValueError, match="neither a head nor an auxiliary"):
        Task("a", extractor("e"), None)
    with pytest.raises(ValueError, match="distinct names"):
        Trainer([Task("a", extractor("e"), head("h"))] * 2)
    with pytest.raises(ValueError, match="two different parts are named 'h'"):
        Trainer([Task("a", extractor("e"), head("h")), Task("b", extractor("f"), head("h"))])
    with pytest.raises(ValueError, match="label 3 in the data of task 'b'"):
        trainer.fit({"a": DATA["a"], "b": (DATA["b"][0], np.full(24, 3))}, verbose=0)
    with pytest.raises(ValueError, match="two figures would be named 'a_rotation_loss'"):
        held = AuxiliaryHead(RotationPrediction(), head("r", 4))
        Trainer([Task("a", extractor("e"), head("h"), [held, held])])
    with pytest.raises(InputError, match="unknown precision 'bfloat16'"):
        trainer.compile("sgd", precision="bfloat16")
    for part in trainer.parts.values():
        part.trainable = False
    with pytest.raises(ValueError, match="has nothing to learn"):
        fit(trainer)


def test_a_tasks_step_leaves_the_parts_of_other_tasks_alone():
    trainer = Trainer([Task(n, extractor(f"{n}_extractor"), head(f"{n}_head")) for n in "ab"])
    eager(trainer, keras.optimizers.SGD(0.05, momentum=0.9))
    before = [np.array(v.value) for v in trainer.tasks["b"].learnt_variables()]
    images, labels = DATA["b"]
    # Without labels task b has no gradient: whatever moved its weights would be task a's step.
    unlabelled = (images, np.full_like(labels, -1))
    trainer.fit({"a": DATA["a"], "b": unlabelled}, batch_size=8, steps_per_epoch=3, verbose=0)
    after = [np.array(v.value) for v in trainer.tasks["b"].learnt_variables()]
    assert same(before, after)
    assert trainer.tasks["b"].head is not trainer.tasks["a"].head
