"""Publishes, finds, checks, recombines and ships parts of networks."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from apps.components import library, names, pairs, shipping
from keras_compat.experiments import command_line

EXAMPLES = """examples:
  python -m apps.components publish parts digits@1 --network=runs/.../networks/digits
  python -m apps.components publish parts phone@1 --extractor=phone.keras \\
      --architecture=resnet8@stage2
  python -m apps.components list parts --kind=extractor
  python -m apps.components check parts phone@1 digits-head@1 --images=folder:PICTURES
  python -m apps.components retrain parts server@1 digits-head@1 digits-head@2 \\
      --data=folder:PICTURES
  python -m apps.components recombine parts phone@1 digits-head@1 phone-digits@1
  python -m apps.components adapt parts phone-digits@1 phone-digits@2 --images=folder:PICTURES
  python -m apps.components export parts phone-digits@2 shipped --formats=litert,onnx \\
      --parts=extractor,head,network --quantization=float32,int8 --images=folder:PICTURES
  python -m apps.components install parts phone@1 phone --updates=digits --images=folder:PICTURES
  python -m apps.components update parts digits-head@2 digits-2.zip --number=2 \\
      --devices=phone,server --data=folder:SORTED
  python -m apps.components receive parts digits-2.zip digits-head@2
  python -m apps.components architectures

A store is a folder, or a URL that fsspec reads: s3://bucket/parts, hf://datasets/me/parts, ...
NAME@VERSION is one component, NAME@latest the highest version, NAME@ALIAS what alias points at.
"""


def make_parser() -> argparse.ArgumentParser:
    """Returns the commands with their flags."""
    parser = command_line.make_parser(__doc__, EXAMPLES)
    parser.prog = "python -m apps.components"  # else it is __main__.py
    commands = parser.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", required=True
    )

    def command(run: Callable[[Any], None], text: str, *words: str) -> argparse.ArgumentParser:
        added = commands.add_parser(run.__name__.rstrip("_"), help=text, description=text)
        for word in ("store", *words):
            added.add_argument(word, metavar=word.upper())
        added.set_defaults(run=run)
        return added

    for module in (library, pairs, shipping):
        module.add(command)
    names.add(commands)
    return parser


def run(arguments: Sequence[str]) -> None:
    """Reads the command and does it."""
    flags = make_parser().parse_args(arguments)
    flags.run(flags)
