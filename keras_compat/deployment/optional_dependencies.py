"""Optional packages that only the files for servers, desktops and phones need."""

from __future__ import annotations

from importlib.util import find_spec

from keras_compat.errors import missing_package

_EXTRAS = {"tf2onnx": "onnx", "onnxruntime": "onnx"}


def installed(package: str) -> bool:
    """Says whether a package is installed, without importing it.

    Example:

    >>> installed("numpy")
    True
    """
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):  # hidden on purpose, by a finder or a None in sys.modules
        return False


def require(package: str, needed_for: str) -> None:
    """Raises the error that names the extra, if a package is not installed; does not import it.

    Args:
        package: the import name, such as `"tensorflow"` or `"onnxruntime"`.
        needed_for: what cannot be done without it.

    Raises:
        InputError: if the package is not installed.

    Example:

    >>> require("numpy", "arithmetic")
    """
    if not installed(package):
        raise missing_package(package, needed_for, _EXTRAS.get(package, "tensorflow"))
