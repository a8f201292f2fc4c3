r"""Adapts a network to images without labels; its classifier stays as it is.

See Sec. 5.1 of the paper.

Examples:
  python -m apps.domain_adaptation
  python -m apps.domain_adaptation --source=folder:shop --target=folder:street --image_size=64
  python -m apps.domain_adaptation --network=runs/domain_adaptation/NAME/networks/mnist5k \
      --target=folder:scans
  python -m apps.domain_adaptation --preset=cpu --source=cifar10 --target=stl10 --download

A folder is laid out as train/ and test/, in each a folder a class. A target may also be a folder
of image files alone: then there is nothing to measure accuracy by.

A run that was killed goes on with the same command. With --overwrite and more --seeds a finished
one grows, and keeps what it has trained.
"""

from keras_compat.experiments.experiment_command import ExperimentCommand

run = ExperimentCommand("domain_adaptation", __doc__)

if __name__ == "__main__":
    run.main()
