"""Adds a class to a classifier of your own images, and writes the files for a phone.

A folder of images in class folders is all that is needed. This example first writes such a folder
from scikit-learn's digits. Two extractors learn with one head, without the last class. Then the
head alone learns the last class on the server's extractor, and the phone gets it as a LiteRT file.

Run it in a clone of the repository: python -m examples.own_folder [FOLDER]
"""

# %% Choose the folder
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/examples")

# %% Write images into train/CLASS/ and test/CLASS/; skip this step for your own images
import numpy as np
from PIL import Image

from keras_compat import data

NAMES = ("zero", "one", "two", "three", "four")
images_folder = folder / "digits"
digits = data.load("digits", image_size=16)
for split, examples in (("train", digits.train), ("test", digits.test)):
    for number, name in enumerate(NAMES):
        place = images_folder / split / name
        place.mkdir(parents=True, exist_ok=True)
        for index, image in enumerate(examples.images[examples.labels == number]):
            Image.fromarray(np.squeeze(image)).save(place / f"{index:03d}.png")

# %% Load the folder; class names are the names of the folders
dataset = data.load(f"folder:{images_folder}")
print(f"{len(dataset.train)} training images of {', '.join(dataset.class_names)}")
new_class = "four"
known = [name for name in dataset.class_names if name != new_class]
order = data.parse_classes(",".join([*known, new_class]), dataset.class_names)
everything = dataset.select_classes(order)  # the new class comes last
before = dataset.select_classes(order[:-1])

# %% Train two extractors with one head, without the new class
import keras

from keras_compat import evaluation, networks
from keras_compat.training import Task, Trainer

shape = dataset.image_shape
extractors = {
    "server": networks.build_extractor("wide_resnet10", shape, seed=1, name="server"),
    "phone": networks.build_extractor("mobilenet_v2_small@block2", shape, seed=2, name="phone"),
}
head = networks.build_head("mobilenet_v2_small@block2", classes=len(known), seed=3)
joint = Trainer([Task(name, extractor, head) for name, extractor in extractors.items()], seed=0)
joint.compile(keras.optimizers.Adam(0.01))
joint.fit(dict.fromkeys(extractors, before.train), batch_size=64, steps_per_epoch=250, verbose=0)

# %% Extend the head, and train it on the frozen server extractor alone
extractors["server"].trainable = False
new_head = networks.extend_classes(head, len(everything.class_names), seed=4, name="new_head")
update = Trainer([Task("server", extractors["server"], new_head)], seed=0)
update.compile(keras.optimizers.Adam(0.003))
update.fit({"server": everything.train}, batch_size=64, steps_per_epoch=200, verbose=0)
accuracy = {
    name: evaluation.recombination_accuracy(extractor, new_head, everything.test)
    for name, extractor in extractors.items()
}
for name, value in accuracy.items():
    print(f"The new head on the {name}: {value:.1%} of the test images, the new class included")

# %% Give the phone's pair moving statistics, and write its LiteRT files
from keras_compat import deployment

phone, phone_head = deployment.recalibrate(extractors["phone"], new_head, everything.train.images)
files = (folder / "phone_extractor.tflite", folder / "phone_head.tflite")
pair = deployment.litert_pair(phone, phone_head, *files, everything.class_names)
deployment.export(pair, overwrite=True)
(logits,) = deployment.evaluate_exported([files], everything.test.images)
predicted = np.argmax(logits, axis=-1)
right = np.mean(predicted == everything.test.labels)
print(f"The phone's files, in a process of their own: {right:.1%}; they are in {folder}")

# %% Plot some images of the new class with the phone's predictions
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

of_new_class = np.flatnonzero(everything.test.labels == len(known))
chosen = np.random.default_rng(0).choice(of_new_class, 8, replace=False)
figure, axes = plt.subplots(1, len(chosen), figsize=(9, 1.7), layout="constrained")
for axis, index in zip(axes, chosen, strict=True):
    axis.imshow(np.squeeze(everything.test.images[index]), cmap="gray")
    axis.set_title(everything.class_names[predicted[index]], fontsize=10)
    axis.axis("off")
figure.suptitle(f'The phone names images of the new class "{new_class}"')
figure.savefig(folder / "own_folder.png", dpi=150)
print(f"The picture is {folder / 'own_folder.png'}")
