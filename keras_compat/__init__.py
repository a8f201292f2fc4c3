"""Network parts that fit together: extractors and heads trained to be recombined.

Implements "Towards Reusable Network Components by Learning Compatible Representations"
(Gygli, Uijlings, Ferrari; AAAI 2021) on Keras 3.
"""

__version__ = "0.1.0"

from keras_compat.registration import register as _register

_register()
