"""Former path of `keras_compat.reporting.stored_settings`."""

from keras_compat.reporting.stored_settings import as_of_today

__all__ = ["as_of_today"]
