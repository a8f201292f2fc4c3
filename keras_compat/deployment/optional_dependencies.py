"""Packages that only exports need, checked without importing them."""

from __future__ import annotations

from importlib.util import find_spec

from keras_compat.errors import missing_package

_EXTRAS = {"tf2onnx": "onnx", "onnxruntime": "onnx"}


def installed(package: str) -> bool:
    """Returns whether a package is installed, without importing it.

    Example:

    >>> installed("numpy")
    True
    """
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):  # hidden by an import hook or a None in sys.modules
        return False


def require(package: str, needed_for: str) -> None:
    """Raises `InputError`, which names the extra to install, if a package is not installed.

    Args:
        package: Import name, such as `"tensorflow"` or `"onnxruntime"`.
        needed_for: Words for the work that needs it, for the message.

    Example:

    >>> require("numpy", "arithmetic")
    """
    if not installed(package):
        raise missing_package(package, needed_for, _EXTRAS.get(package, "tensorflow"))
