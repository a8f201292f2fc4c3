"""Measures how compatible each method makes networks, and why, on any data sets.

See Sec. 4 and Appendices A and B of the paper.

Examples:
  python -m apps.compatibility_analysis
  python -m apps.compatibility_analysis --methods=independent,iiw+dcc --seeds=3 --jobs=2
  python -m apps.compatibility_analysis --studies=splits,common_classes,baselines
  python -m apps.compatibility_analysis --preset=cpu --datasets=cifar10,stl10 --download

studies:
  methods         every method (Fig. 2, 3, 10)
  same_data       all networks on the first data set (Appendix B.2)
  incremental     one network after the other, with frozen auxiliary heads (Sec. 3.4, 4)
  pretrained      from weights that learnt rotation on other images (Sec. 4)
  normalization   alternatives to batch statistics, and the batch size at inference (B.1)
  splits          every split point (B.3)
  common_classes  fewer common classes, and as many images of all (B.4)
  baselines       what recombines networks without compatible training
  auxiliaries     jigsaw, colorization, exemplar and contrastive tasks (Appendix A)
  rotation        what moves rotation prediction
  signals         how well what needs no labels predicts recombination accuracy
  calibration     how many images a recombined pair needs for moving statistics
  cost            what each method costs (B.6)

A run that was killed goes on with the same command. A finished one grows with --overwrite and more
studies, methods or seeds: name all that the report is to have; what is trained already is kept.
"""

from keras_compat.experiments.experiment_command import ExperimentCommand

run = ExperimentCommand("compatibility_analysis", __doc__)

if __name__ == "__main__":
    run.main()
