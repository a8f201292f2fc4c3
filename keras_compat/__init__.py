"""Network parts that fit together: extractors and heads trained to be recombined.

Implements "Towards Reusable Network Components by Learning Compatible Representations"
(Gygli, Uijlings, Ferrari; AAAI 2021) on Keras 3.
"""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

# Its classes join those that Keras is to find.
from keras_compat import auxiliary as auxiliary
from keras_compat.registration import register as _register

__version__ = "0.1.0"

_register()


def __getattr__(name: str) -> ModuleType:
    """Imports a module of this package when it is used, such as `keras_compat.networks`."""
    module = f"{__name__}.{name}"
    if find_spec(module) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(module)
