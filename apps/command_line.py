"""What the apps share: quiet start-up, flags that end in exit code 2, errors in one line."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence

from absl.flags import argparse_flags

from keras_compat.errors import InputError


def parser(description: str, epilog: str = "") -> argparse.ArgumentParser:
    """Returns a parser whose help keeps the line breaks of its texts."""
    return argparse_flags.ArgumentParser(
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def main(run: Callable[[Sequence[str]], None]) -> None:
    """Runs an app: bad input is one line and exit code 2, an interruption exit code 130.

    Args:
        run: takes the arguments after the program's name.
    """
    try:
        run(sys.argv[1:])
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except ArithmeticError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("\ninterrupted; nothing that was there before has been changed", file=sys.stderr)
        sys.exit(130)


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Hides what TensorFlow's libraries print on being loaded, before they can be told not to.

    They write to the process's standard error directly, so that is where it is caught. If the
    start fails, what they wrote is shown.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # It warns of each new function; a run has one for every network, which is as it should be.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as noise:
        os.dup2(noise.fileno(), 2)
        try:
            yield
        except BaseException:
            noise.seek(0)
            os.write(kept, noise.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
