"""Networks that can be split into extractors and heads, and recombined."""

# Importing an architecture's file registers it.
from keras_compat.networks import mobilenet_v2, resnet, wide_resnet  # noqa: F401
from keras_compat.networks.architectures import (
    ARCHITECTURES,
    Architecture,
    Block,
    default_split,
    parse_architecture,
    split_points,
)
from keras_compat.networks.building import (
    INTERFACE_CHANNELS,
    build,
    build_extractor,
    build_head,
)
from keras_compat.networks.cost import count_flops, layer_flops
from keras_compat.networks.extension import extend_classes
from keras_compat.networks.features import FEATURES
from keras_compat.networks.logits import check_logits, logits_of
from keras_compat.networks.normalizations import NORMALIZATIONS
from keras_compat.networks.recombination import (
    check_interface,
    feature_interface,
    recombine,
    side_by_side,
)
from keras_compat.networks.splitting import cut_points, split
from keras_compat.networks.weights import copy_model, copy_weights, count_parameters

__all__ = [
    "ARCHITECTURES",
    "FEATURES",
    "INTERFACE_CHANNELS",
    "NORMALIZATIONS",
    "Architecture",
    "Block",
    "build",
    "build_extractor",
    "build_head",
    "check_interface",
    "check_logits",
    "copy_model",
    "copy_weights",
    "count_flops",
    "count_parameters",
    "cut_points",
    "default_split",
    "extend_classes",
    "feature_interface",
    "layer_flops",
    "logits_of",
    "parse_architecture",
    "recombine",
    "side_by_side",
    "split",
    "split_points",
]
