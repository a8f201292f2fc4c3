"""Errors of the store, one class per fault; each message is one line that says what to do."""

from __future__ import annotations

from keras_compat.errors import InputError


class StoreError(InputError):
    """Base class of the store's errors."""


class BadNameError(StoreError):
    """A name, version or alias is invalid."""


class NotPublishedError(StoreError):
    """The component, version or alias does not exist."""


class AlreadyPublishedError(StoreError):
    """The version exists; versions never change."""


class InUseError(StoreError):
    """An alias points at the version to be removed."""


class UnsafePathError(StoreError):
    """A link, a device or a pipe is in the place of a file or a folder."""


class UnreachableError(StoreError):
    """The file system refuses to read or write the store."""


class WrongFilesError(StoreError):
    """Files are missing, or the manifest does not name them."""


class DamagedError(StoreError):
    """A file has another size or SHA-256 than the manifest says."""


class TooLargeError(StoreError):
    """Something claims or takes more bytes than allowed."""


class BadManifestError(StoreError):
    """The manifest is not JSON, or does not fit the schema."""


class NewerSchemaError(StoreError):
    """The manifest has the schema of a later release of this package."""


class UnknownArchitectureError(StoreError):
    """The registry lacks the architecture, an argument or a split."""


class BadWeightsError(StoreError):
    """The weights do not fit the architecture, or hold impossible values."""


class IncompatibleError(StoreError):
    """Two parts do not fit together."""
