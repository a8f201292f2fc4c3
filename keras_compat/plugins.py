"""Plugins: modules of other packages that register architectures, auxiliary tasks and more.

A plugin is a module whose import registers its parts, for example in
`keras_compat.networks.ARCHITECTURES` or `keras_compat.auxiliary.AUXILIARIES`. A user names it with
`--plugins`, or an installed package declares it as an entry point of the group
`keras_compat.plugins`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from importlib.metadata import entry_points, packages_distributions, version
from pathlib import Path
from typing import Any

from keras_compat.errors import InputError

FLAG, GROUP = "--plugins", "keras_compat.plugins"
_PREFIX = "plugin "
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


def plugin_versions() -> dict[str, str]:
    """Returns the versions of the loaded plugins, as runs note them.

    Returns:
        A version for each key `"plugin MODULE"`: that of the package that installed the module,
        else the module's own `__version__`, else `"unknown"`.

    Example:

    >>> "plugin no.such_module" in plugin_versions()
    False
    """
    return {f"{_PREFIX}{name}": _version(name) for name in _loaded}


def plugins_in(versions: Mapping[str, Any]) -> list[str]:
    """Returns the names of the plugins among the versions that a run noted.

    Example:

    >>> plugins_in({"python": "3.11", "plugin my_package.my_module": "1.0"})
    ['my_package.my_module']
    """
    return [key.removeprefix(_PREFIX) for key in versions if key.startswith(_PREFIX)]


def missing_plugins(names: Iterable[str], what: str) -> str:
    """Returns words on the plugins that something was made with and that are not loaded.

    Args:
        names: Names of the plugins that it was made with.
        what: Name of the thing.

    Returns:
        One line that says what to do; `""` if all are loaded.

    Example:

    >>> print(missing_plugins(["my_package.my_module"], "the run in runs/mine"))
    the run in runs/mine was made with plugins that are not loaded; add
    --plugins=my_package.my_module
    """
    missing = [name for name in names if name not in _loaded]
    told = f"{what} was made with plugins that are not loaded; add --plugins={','.join(missing)}"
    return told if missing else ""


def names_of_plugins(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Parts a command line into the plugins that it names and the other arguments.

    Raises:
        InputError: If `--plugins` has no value.

    Example:

    >>> names_of_plugins(["list", "--plugins=one,two", "--plugins", "three"])
    (['one', 'two', 'three'], ['list'])
    """
    names: list[str] = []
    others: list[str] = []
    left = iter(arguments)
    for argument in left:
        flag, is_one, value = argument.partition("=")
        if flag != FLAG:
            others.append(argument)
            continue
        value = value if is_one else next(left, "")
        found = [name.strip() for name in value.split(",") if name.strip()]
        if not found:
            raise InputError(f"{FLAG} names no module; expected {FLAG}=my_package.my_module")
        names += found
    return names, others


def are_wanted(names: Sequence[str]) -> bool:
    """Returns whether there is a plugin to load: named, inherited or installed.

    Example:

    >>> are_wanted(["my_package.my_module"])
    True
    """
    return bool(names or os.environ.get(_VARIABLE) or entry_points(group=GROUP))


def _version(name: str) -> str:
    package = name.partition(".")[0]
    found = packages_distributions().get(package)
    return version(found[0]) if found else str(getattr(sys.modules[name], "__version__", "unknown"))


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
