r"""Puts the head of a target on the extractors of other sources, and fine-tunes from there.

See Sec. 5.3 of the paper.

Examples:
  python -m apps.transfer_learning
  python -m apps.transfer_learning --rotation_data=folder:any \
      --sources=folder:a,folder:b,folder:c --target=folder:mine --image_size=64
  python -m apps.transfer_learning --preset=cpu --download

methods:
  pretrained+rp             source and target learn with one frozen rotation head, and start as the
                            extractor that was trained with that head
  iiw+rp                    the same from the same random weights
  rp                        the same from different weights
  pretrained                as pretrained+rp, but each learns with a rotation head of its own
  independent               the same from different random weights
  pretrained+reinitialized  as pretrained+rp, and fine-tuning starts with a new head
  reinitialized             as independent, and fine-tuning starts with a new head

With several sources they are ranked by how the target's head does on each, before any fine-tuning.
A run that was killed goes on with the same command. With --overwrite and more sources, targets,
methods or seeds a finished one grows, and keeps what it has trained.
"""

from keras_compat.experiments.experiment_command import ExperimentCommand

run = ExperimentCommand("transfer_learning", __doc__)

if __name__ == "__main__":
    run.main()
