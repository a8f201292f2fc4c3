"""Command line of every app: its parser, errors in one line, exit codes, the backend."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import shutil
import sys
import textwrap
import traceback
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import absl.flags
from absl.flags import argparse_flags

from keras_compat.errors import InputError, WorkerLost, missing_package, unknown_name
from keras_compat.experiments.runner.signals import EXIT_CODE, Terminated, ends_on_signals
from keras_compat.experiments.start_up import one_line_warnings, quiet_start
from keras_compat.file_errors import WHOLE, file_errors_in_one_line
from keras_compat.plugins import FLAG, are_wanted, load_plugins, names_of_plugins
from keras_compat.printing import Parser, tell

BACKENDS = ("tensorflow", "jax")


def make_parser(text: str, epilog: str = "", prog: str | None = None) -> argparse.ArgumentParser:
    """Returns a parser whose help keeps the line breaks of its texts."""
    parser = _Parser(
        prog=prog,
        usage="%(prog)s [--FLAG=VALUE ...]" if prog else None,
        description=text,
        epilog=epilog,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    # `main` reads it, before there is a parser: plugins add to the choices.
    parser.add_argument(
        FLAG,
        metavar="MODULE,...",
        default=argparse.SUPPRESS,
        help="Modules of other packages that register architectures, tasks, data sources and more.",
    )
    return parser


class _Parser(argparse_flags.ArgumentParser, Parser):
    """Parser that knows absl's flags, too, and says what is like an unknown flag."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        flags, unknown = self.parse_known_args(args, namespace)
        if unknown:
            known = self._option_string_actions
            near = difflib.get_close_matches(unknown[0].partition("=")[0], known)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return flags

    def parse_known_args(self, *arguments: Any, **named: Any) -> Any:
        try:
            return super().parse_known_args(*arguments, **named)
        except absl.flags.Error as error:
            self.error(str(error))


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help with one column of flags, each with the form of its value once."""

    def __init__(self, prog: str):
        width = min(shutil.get_terminal_size().columns, 100)
        super().__init__(prog, max_help_position=28, width=width)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        form = self._format_args(action, action.dest.upper())
        return f"{', '.join(action.option_strings)} {form}"


def main(run: Callable[[Sequence[str]], None]) -> None:
    """Runs an app: bad input is one line and exit code 2, an interruption 130, SIGTERM 143."""
    one_line_warnings()
    try:
        with ends_on_signals(), file_errors_in_one_line(WHOLE):
            run(load_named_plugins(sys.argv[1:]))
        _workers("wait")
    except InputError as error:
        tell(f"error: {error}", to=sys.stderr)
        _exit(2)
    except (ArithmeticError, WorkerLost) as error:
        tell(f"error: {error}", to=sys.stderr)
        _exit(1)
    except KeyboardInterrupt as interruption:
        said = str(interruption) or "nothing that was there before has been changed"
        terminated = isinstance(interruption, Terminated)
        what = "terminated" if terminated else "interrupted"
        tell("", f"{what}; {said}", to=sys.stderr)
        _exit(EXIT_CODE if terminated else 130)
    except Exception:
        _workers("leave", 1, traceback.format_exc())
        raise


def load_named_plugins(arguments: Sequence[str]) -> list[str]:
    """Loads the plugins that a command line names, and those of installed packages.

    Returns:
        The other arguments.

    Raises:
        InputError: If a plugin cannot be imported.
    """
    names, others = names_of_plugins(arguments)
    if are_wanted(names):
        # A plugin may import Keras.
        choose_backend()
        with quiet_start():
            load_plugins(names)
    return others


def _exit(code: int) -> NoReturn:
    _workers("leave", code)
    sys.exit(code)


def _workers(what: str, *arguments: Any) -> None:
    """Calls a function of the module of files of several workers, if training may have begun."""
    module = sys.modules.get("keras_compat.experiments.runner.distributed_files")
    if module is not None:
        getattr(module, what)(*arguments)


def choose_backend() -> None:
    """Makes Keras use a backend that is installed; to be called before Keras is imported.

    The environment variable `KERAS_BACKEND` is obeyed. The setting in `keras.json` is a wish:
    Keras writes "tensorflow" there by itself, on being imported for the first time.

    Raises:
        InputError: If the backend that was named is unknown or not installed, or none is.
    """
    named = os.environ.get("KERAS_BACKEND")
    backend = named or _configured_backend()
    if backend not in BACKENDS:
        raise unknown_name("Keras backend", backend, BACKENDS)
    if _installed(backend):
        return
    if named:
        raise missing_package(backend, f"KERAS_BACKEND={named}", backend)
    others = [other for other in BACKENDS if _installed(other)]
    if not others:
        raise missing_package(backend, "Keras (with no backend installed)", backend)
    os.environ["KERAS_BACKEND"] = others[0]
    tell(f"{backend} is not installed: Keras runs on {others[0]}")


def _configured_backend() -> str:
    folder = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    try:
        return json.loads((folder / "keras.json").read_text(encoding="utf-8"))["backend"]
    # No such file, or none that Keras would read.
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ImportError:  # hidden on purpose, by a finder
        return False
