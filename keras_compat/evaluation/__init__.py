"""What recombined networks are worth: their logits and their accuracy."""

from keras_compat.evaluation.metrics import accuracy, class_average_accuracy
from keras_compat.evaluation.prediction import predict_logits

__all__ = ["accuracy", "class_average_accuracy", "predict_logits"]
