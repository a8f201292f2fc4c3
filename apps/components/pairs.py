"""Commands on extractors and heads: whether they fit, together, trained, tested."""

from __future__ import annotations

import json
from typing import Any

from apps.components.shared import (
    Command,
    add_images,
    add_reading,
    count_of,
    free,
    open_store,
    print_table,
    published,
    reading,
    start,
)
from keras_compat.experiments import command_line
from keras_compat.experiments.experiment_command import add_options, start_distribution
from keras_compat.experiments.flags import add_training, given
from keras_compat.experiments.settings import TrainingSettings
from keras_compat.printing import tell

_RETRAINING = TrainingSettings(rounds=300, learning_rate=1e-2, schedule="cosine")


def add(command: Command) -> None:
    """Adds the commands with their flags."""
    flags = command(check, "tell without labels whether a head works", "extractor", "head")
    add_images(flags)
    flags.add_argument("--json", action="store_true", help="for programs")

    command(recombine, "put a head on an extractor", "extractor", "head", "new")

    flags = command(
        retrain, "teach a head new classes, on one frozen extractor", "extractor", "head", "new"
    )
    flags.add_argument("--data", required=True, help="labelled images, of the old classes too")
    add_training(flags, {"training": _RETRAINING})
    flags.add_argument("--seed", type=int, default=0)
    add_options(flags, "distribution")
    add_reading(flags)

    flags = command(evaluate, "test a network", "reference")
    flags.add_argument("--data", required=True, help="labelled images")
    add_reading(flags)

    flags = command(adapt, "give a network moving statistics", "reference", "new")
    add_images(flags)


def check(flags: Any) -> None:
    """Tells without labels whether a head works on an extractor."""
    store = open_store(flags)
    extractor, head = published(store, flags.extractor), published(store, flags.head)
    count = count_of(flags.count)
    start()
    from keras_compat.experiments.components import operations

    found = operations.check(store, extractor, head, flags.images, count, reading(flags))
    if flags.json:
        described = {"verdict": found.verdict, **vars(found), "signals": dict(found.signals)}
        tell(*json.dumps(described, indent=2).splitlines())
        return
    family = f"{found.family} auxiliary head(s) in common" if found.family else "no family"
    tell(f"{head} on {extractor}: {family}; measured on {found.images} images without labels")
    print_table([("signal", "value"), *((n, f"{v:.3f}") for n, v in found.signals.items())])
    tell(f"as far as can be told without labels, it {found.verdict}")
    if found.own_information is None:
        tell("what the head tells on its own extractor is not known: it may do better than that")


def recombine(flags: Any) -> None:
    """Puts a head on an extractor."""
    store = open_store(flags)
    extractor, head = published(store, flags.extractor), published(store, flags.head)
    new = free(store, flags.new)
    start()
    from keras_compat.store import pack
    from keras_compat.store.recombining import recombine as put_together

    pair = put_together(store, extractor, head)
    store.publish(new, pack(pair.network, str(new)))
    if not pair.family:
        tell(
            f"warning: {extractor} and {head} share no auxiliary head: nothing says that they work "
            "together; check them"
        )
    tell(f"published {new}; it needs batches of images until you adapt it")


def retrain(flags: Any) -> None:
    """Teaches a head new classes."""
    store = open_store(flags)
    extractor, head = published(store, flags.extractor), published(store, flags.head)
    new = free(store, flags.new)
    how = _RETRAINING.changed(given(flags, ["training"]))
    command_line.choose_backend()
    start_distribution(flags.distribution, [how])
    from keras_compat.experiments.components.retraining import retrain as teach

    done = teach(store, extractor, head, new, flags.data, how, flags.seed, reading(flags))
    tell(
        f"published {new}; it knows {len(done.class_names)} classes and is right on "
        f"{done.accuracy:.1%} of test images on {extractor}"
    )


def evaluate(flags: Any) -> None:
    """Tests a network."""
    store = open_store(flags)
    reference = published(store, flags.reference)
    start()
    from keras_compat.experiments.components import operations

    tell(f"{reference}: {operations.evaluate(store, reference, flags.data, reading(flags)):.1%}")


def adapt(flags: Any) -> None:
    """Gives a network moving statistics."""
    store, count = open_store(flags), count_of(flags.count)
    reference, new = published(store, flags.reference), free(store, flags.new)
    start()
    from keras_compat.experiments.components import operations

    operations.adapt(store, reference, new, flags.images, count, reading(flags))
    tell(f"published {new}; it takes single images")
