"""The rules for docstrings that a program can check; CONTRIBUTING.md has the others."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.once
ROOT = Path(__file__).parents[1]
FILES = sorted(
    path
    for top in ("keras_compat", "apps", "benchmarks", "examples")
    for path in (ROOT / top).rglob("*.py")
)
QUESTION = re.compile(r"(What|Which|How|Where|When)\b")
ARGUMENT = re.compile(
    r"^\s+\w+: (?:of|for|in|to|from|with|by|as|at|on|where|what|which|how|whether it)\b.*",
    re.MULTILINE,
)


def docstrings(text):
    """Returns the line and the docstring of a module, its classes and its functions."""
    nodes = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, nodes):
            yield getattr(node, "lineno", 1), ast.get_docstring(node) or ""


def faults(text):
    found = []
    for line, docstring in docstrings(text):
        if QUESTION.match(docstring):
            found.append(f"{line}: opens with a question word: {docstring.splitlines()[0]}")
        found += [f"{line}: no noun phrase: {a.strip()}" for a in ARGUMENT.findall(docstring)]
    return found


def test_docstrings_open_with_a_verb_or_a_noun_phrase_and_arguments_are_noun_phrases():
    found = {str(path.relative_to(ROOT)): faults(path.read_text("utf-8")) for path in FILES}
    assert not {path: lines for path, lines in found.items() if lines}


@pytest.mark.parametrize(
    "docstring", ["How a run goes.", "A run.\n\n    Args:\n        name: of the run."]
)
def test_the_check_finds_both_faults(docstring):
    assert len(faults(f'def run():\n    """{docstring}"""\n')) == 1
