"""The loop that runs a file's attacks one by one."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def run_all(attacks: Mapping[str, tuple[Any, Any]], attempt: Callable[[Path, Any], None]) -> None:
    """Runs attacks and prints the refusals; ends with exit code 1 if one gets through.

    Args:
        attacks: By name an attack, and the expected error's class or a part of its message.
        attempt: Function that attacks in an empty folder and reads as a user does.
    """
    failed = 0
    for name, (attack, expected) in attacks.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                attempt(Path(folder), attack)
            except ValueError as error:
                is_class = isinstance(expected, type)
                fits = isinstance(error, expected) if is_class else expected in str(error)
                failed += not fits
                print(f"{name}: refused: {error}")
            else:
                failed += 1
                print(f"{name}: NOT REFUSED")
    sys.exit(1 if failed else 0)
