"""Imports of the package: no circle of files, and none from a lower part to a higher one."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# A part imports itself, the parts before it and the ground: all other files beside these parts.
PARTS = (
    "data",
    "layers",
    "networks",
    "auxiliary",
    "training",
    "evaluation",
    "deployment",
    "store",
    "updates",
    "methods",
    "reporting",
    "studies",
    "experiments",
    "jobs",  # former paths
)

pytestmark = pytest.mark.once


def module_of(file):
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(file): file for file in (ROOT / "keras_compat").rglob("*.py")}


def imported(file):
    """Yields each module that a file imports, also in functions and for type checkers."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: a relative import; expected the whole name"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in FILES else node.module


IMPORTS = {
    module: {name for name in imported(file) if name in FILES} - {module, "keras_compat"}
    for module, file in FILES.items()
}


def level(module):
    if module == "keras_compat":  # its registrations may import any part
        return len(PARTS) + 1
    part = module.split(".")[1]
    return PARTS.index(part) + 1 if part in PARTS else 0


def test_no_files_import_each_other_in_a_circle():
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        pytest.fail("a circle: " + " <- ".join(error.args[1]))


def test_no_part_imports_a_higher_one():
    up = {
        f"{module} -> {name}"
        for module, names in IMPORTS.items()
        for name in names
        if level(name) > level(module)
    }
    assert not up


@pytest.mark.parametrize("folder", ["keras_compat", "benchmarks", "examples"])
def test_nothing_but_an_app_imports_an_app(folder):
    found = {
        str(file)
        for file in (ROOT / folder).rglob("*.py")
        if any(name.split(".")[0] == "apps" for name in imported(file))
    }
    assert not found
