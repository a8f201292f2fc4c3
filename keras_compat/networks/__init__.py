"""Networks that can be split into extractors and heads, and recombined."""

# Importing an architecture's file registers it.
from keras_compat.networks import mobilenet_v2, resnet, wide_resnet  # noqa: F401
from keras_compat.networks.architectures import (
    ARCHITECTURES,
    Architecture,
    Block,
    architectures,
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
from keras_compat.networks.recombination import check_interface, feature_interface, recombine

__all__ = [
    "ARCHITECTURES",
    "INTERFACE_CHANNELS",
    "Architecture",
    "Block",
    "architectures",
    "build",
    "build_extractor",
    "build_head",
    "check_interface",
    "default_split",
    "feature_interface",
    "parse_architecture",
    "recombine",
    "split_points",
]
