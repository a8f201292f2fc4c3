"""Packaging; the versions tested together are in requirements.txt."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "(.+)"$', (ROOT / "keras_compat/__init__.py").read_text(), re.MULTILINE
).group(1)

TENSORFLOW = [
    "tensorflow>=2.21,<3",
    "tensorboard>=2.20",  # TensorFlow 2.21 no longer brings it; tf.summary needs it
    "tensorflow-datasets>=4.9.10",
    "importlib_resources",  # tensorflow-datasets 4.9.10 imports it and does not declare it
    "ai-edge-litert>=2.1",
]
JAX = ["jax>=0.10"]
DEMO = [*TENSORFLOW, "mlxtend>=0.23"]
ONNX = [*TENSORFLOW, "tf2onnx>=1.17", "onnx>=1.17", "onnxruntime>=1.20"]
TEST = [
    *(*DEMO, *JAX, *ONNX),
    "mediapipe>=1.2",  # reads the metadata of LiteRT files as a phone's app does
    *("pytest>=8.2", "pytest-xdist>=3.6", "hypothesis>=6.100", "jsonschema>=4.20", "ruff>=0.12"),
]

setup(
    name="keras_compat",
    version=VERSION,
    description="Extractors and heads trained to be recombined, on Keras 3",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=["keras_compat", "keras_compat.*", "apps", "apps.*"]),
    package_data={"keras_compat": ["py.typed", "store/*.schema.json"]},
    install_requires=[
        "keras>=3.15.1,<4",
        "h5py>=3.9",  # Keras brings it; we look into weights before Keras reads them
        "numpy>=2.0",
        "absl-py>=2.1",
        "scipy>=1.13",
        "scikit-learn>=1.5",
        "pillow>=10.3",
        "matplotlib>=3.9",
        # The component store: manifests, weights, and where they lie.
        "pydantic>=2.9",
        "safetensors>=0.5",
        "fsspec>=2024.10",
    ],
    extras_require={
        "tensorflow": TENSORFLOW,
        "onnx": ONNX,
        "jax": JAX,
        "demo": DEMO,
        "test": TEST,
    },
    classifiers=[
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
)
