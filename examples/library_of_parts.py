"""Keeps network parts in a store, checks pairs without labels, and recombines the good ones.

Two extractors learn with one head and are published with it. A third network learns alone. The
store tells which extractor fits the head, without a labelled image.

Run it in a clone of the repository: python -m examples.library_of_parts [FOLDER]
"""

# %% Choose the folder
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples")
folder.mkdir(parents=True, exist_ok=True)

# %% Train three extractors: two with one head, one with a head of its own
import keras

from keras_compat import data, evaluation, networks
from keras_compat.training import Task, Trainer

HEAD = "mobilenet_v2_small@block2"
digits = data.load("digits", image_size=16)
architectures = {"server": "wide_resnet10", "phone": "resnet8", "stranger": "resnet8"}
extractors = {
    name: networks.build_extractor(architecture, digits.image_shape, seed=seed, name=name)
    for seed, (name, architecture) in enumerate(architectures.items())
}
heads = {
    name: networks.build_head(HEAD, classes=10, seed=seed, name=f"{name}_head")
    for seed, name in enumerate(("shared", "strangers"))
}
tasks = [
    Task("server", extractors["server"], heads["shared"]),
    Task("phone", extractors["phone"], heads["shared"]),
    Task("stranger", extractors["stranger"], heads["strangers"]),
]
trainer = Trainer(tasks, seed=0)
trainer.compile(keras.optimizers.Adam(0.01))
trainer.fit(dict.fromkeys(extractors, digits.train), batch_size=64, steps_per_epoch=150, verbose=0)

# %% Publish the parts: a manifest, plain arrays and a model card each; versions never change
from keras_compat.store import Component, Reference, Store, load, pack

store = Store(folder / "parts")
images = digits.train.images[:256]


def publish(reference, component):
    """Publishes a component, unless an earlier run of this example did."""
    if not any(entry.reference == reference for entry in store.entries()):
        store.publish(reference, pack(component))


for name, extractor in extractors.items():
    publish(
        Reference(f"{name}-extractor", "1"),
        Component(extractor=extractor, extractor_architecture=architectures[name]),
    )
publish(
    Reference("digits-head", "1"),
    Component(
        head=heads["shared"],
        head_architecture=HEAD,
        class_names=digits.class_names,
        feature_statistics=evaluation.channel_statistics(extractors["server"], images),
    ),
)
for entry in store.entries():
    print(f"{entry.reference.name}@{entry.reference.tag}: {entry.manifest.kind}")

# %% Read the parts back, and check every pair without labels
head = load(store, Reference("digits-head", "1")).head
signals, accuracy = {}, {}
for name in extractors:
    extractor = load(store, Reference(f"{name}-extractor", "1")).extractor
    found = evaluation.compatibility_signals(extractor, head, images)
    signals[name] = found["recovered"]
    accuracy[name] = evaluation.recombination_accuracy(extractor, head, digits.test)
    print(f"{name}: {signals[name]:.2f} without labels; {accuracy[name]:.1%} of the test images")

# %% Recombine the phone's extractor with the head: one model, for any Keras program
phone = load(store, Reference("phone-extractor", "1")).extractor
network = networks.recombine(phone, head, name="phone_network")
network.save(folder / "phone_network.keras")
print(f"The recombined network is {folder / 'phone_network.keras'}")

# %% Plot what the check says beside the accuracy
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

figure, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
places = range(len(extractors))
axis.bar([p - 0.2 for p in places], signals.values(), 0.4, label="check without labels")
axis.bar([p + 0.2 for p in places], accuracy.values(), 0.4, label="accuracy on test images")
axis.set_xticks(places, [f"{name}'s extractor" for name in extractors])
axis.set_title("The shared head on three extractors")
axis.set_ylim(0, 1.25)
axis.legend(ncols=2, loc="upper center")
figure.savefig(folder / "library_of_parts.png", dpi=150)
print(f"The picture is {folder / 'library_of_parts.png'}")
