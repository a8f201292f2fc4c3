"""What can be wrong with a component, one error a fault; all are one line that says what to do."""

from __future__ import annotations

from keras_compat.errors import InputError


class StoreError(InputError):
    """Base of what the store raises."""


class BadNameError(StoreError):
    """A name, a version or an alias that the store does not take."""


class NotPublishedError(StoreError):
    """There is no such component, version or alias."""


class AlreadyPublishedError(StoreError):
    """The version is there already: versions do not change."""


class InUseError(StoreError):
    """An alias points at what was to be removed."""


class UnsafePathError(StoreError):
    """A link, a device or a pipe in the place of a file or a folder."""


class UnreachableError(StoreError):
    """The file system does not let the store be read or written."""


class WrongFilesError(StoreError):
    """Files are missing, or are there that the manifest does not name."""


class DamagedError(StoreError):
    """A file has another size or another SHA-256 than the manifest says."""


class TooLargeError(StoreError):
    """Something claims or takes more bytes than it may."""


class BadManifestError(StoreError):
    """The manifest is no JSON, or not of the schema."""


class NewerSchemaError(StoreError):
    """The manifest is of a schema that a later release of this package wrote."""


class UnknownArchitectureError(StoreError):
    """The architecture, an argument or a split is not in the registry."""


class BadWeightsError(StoreError):
    """The weights are not those of the architecture, or hold values that no network has."""


class IncompatibleError(StoreError):
    """Two parts do not fit together."""
