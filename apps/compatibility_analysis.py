"""Measures how compatible each method makes networks, and why, on any data sets.

See Sec. 4 and Appendices A and B of the paper.

Examples:
  python -m apps.compatibility_analysis
  python -m apps.compatibility_analysis --methods=independent,iiw+dcc --seeds=3 --jobs=2
  python -m apps.compatibility_analysis --studies=splits,common_classes,baselines
  python -m apps.compatibility_analysis --preset=cpu --datasets=cifar10,stl10 --download

A run that was killed goes on with the same command. A finished one grows with --overwrite and more
studies, methods or seeds: name all that the report is to have; what is trained already is kept.
"""

from keras_compat.experiments.experiment_command import ExperimentCommand

run = ExperimentCommand("compatibility_analysis", __doc__)

if __name__ == "__main__":
    run.main()
