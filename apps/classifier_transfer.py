r"""Trains one head for every device's extractor, updates it on one of them, ships it to all.

See Sec. 5.2 and Appendix B.7 of the paper, and the README.

Examples:
  python -m apps.classifier_transfer
  python -m apps.classifier_transfer --dataset=mnist5k --seeds=3
  python -m apps.classifier_transfer --preset=cpu --dataset=cifar10 --download
  python -m apps.classifier_transfer --dataset=folder:my_images --image_size=32 \
      --initial_classes=cat,dog --extractors "server=resnet20 phone=mobilenet_v2_small@block2" \
      --reference=server

A run that was killed goes on with the same command.
"""

from keras_compat.experiments.experiment_command import ExperimentCommand

run = ExperimentCommand("classifier_transfer", __doc__)

if __name__ == "__main__":
    run.main()
