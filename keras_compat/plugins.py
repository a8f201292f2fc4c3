"""Plugins: modules of other packages that register architectures, auxiliary tasks and more.

A plugin is a module whose import registers its parts, for example in
`keras_compat.networks.ARCHITECTURES` or `keras_compat.auxiliary.AUXILIARIES`. A user names it with
`--plugins`, or an installed package declares it as an entry point of the group
`keras_compat.plugins`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from keras_compat.errors import InputError
from keras_compat.files import read_json

GROUP = "keras_compat.plugins"
# Processes that this one starts load the same plugins.
_VARIABLE = "KERAS_COMPAT_PLUGINS"
_loaded: dict[str, None] = {}


def load_plugins(names: Iterable[str] = ()) -> None:
    """Imports plugins: those of installed packages, of a parent process, and those named.

    Args:
        names: Modules, such as `"my_package.my_module"`; the current folder is searched as well.

    Raises:
        InputError: If a module is not found, or its import fails.

    Example:

    >>> load_plugins(["no.such_module"])
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: plugin 'no.such_module' cannot be imported ...
    """
    installed = (point.value for point in entry_points(group=GROUP))
    inherited = os.environ.get(_VARIABLE, "").split(",")
    for name in dict.fromkeys((*installed, *inherited, *names)):
        if name and name not in _loaded:
            _import(name)
            _loaded[name] = None
    if _loaded:
        os.environ[_VARIABLE] = ",".join(_loaded)


def loaded_plugins() -> tuple[str, ...]:
    """Returns the names of the plugins that this process has loaded, in order.

    Example:

    >>> "no.such_module" in loaded_plugins()
    False
    """
    return tuple(_loaded)


def check_plugins(names: Iterable[str], what: str) -> None:
    """Raises an `InputError` if a plugin that something was made with is not loaded.

    Args:
        names: Names of the plugins that it was made with.
        what: Name of the thing in the message.

    Example:

    >>> check_plugins(["my_package.my_module"], "the run in runs/mine")
    Traceback (most recent call last):
        ...
    keras_compat.errors.InputError: the run in runs/mine was made with the plugin
    'my_package.my_module', which is not loaded; add --plugins=my_package.my_module
    """
    missing = [name for name in names if name not in _loaded]
    if missing:
        shown = ", ".join(map(repr, missing))
        plural = len(missing) > 1
        raise InputError(
            f"{what} was made with the plugin{'s' * plural} {shown}, which "
            f"{'are' if plural else 'is'} not loaded; add --plugins={','.join(missing)}"
        )


def plugins_of_run(folder: Path) -> list[str]:
    """Returns the plugins that a run noted in its `config.json`; none if there is no such file.

    Example:

    >>> plugins_of_run(Path("no/such/run"))
    []
    """
    try:
        settings = read_json(folder / "config.json", "the settings of a run")
    except InputError:
        return []
    found = settings.get("plugins", ()) if isinstance(settings, dict) else ()
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _import(name: str) -> None:
    # `python -m` searches the current folder, an installed command does not.
    if str(Path.cwd()) not in sys.path and "" not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        import_module(name)
    # A stranger's module can fail in any way.
    except Exception as error:
        said = " ".join(str(error).split())
        raise InputError(
            f"plugin {name!r} cannot be imported ({type(error).__name__}: {said}); expected a "
            "module that Python finds here, with commas between several"
        ) from error
