"""The house rules: small modules, short functions, one class and one function a name."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent / "medsweep"
TREES = {p.relative_to(ROOT).as_posix(): ast.parse(p.read_text()) for p in ROOT.rglob("*.py")}

LINES, FUNCTION_LINES = 400, 60
# What reads a format and what writes it are called after it.
FORMATS = {"Brat", "Conll", "Csv", "Jsonl", "WebannoTsv"}


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def test_modules_are_small() -> None:
    long = {path for path in TREES if len((ROOT / path).read_text().splitlines()) > LINES}
    assert not long


def test_functions_are_short() -> None:
    long = {
        f"{path}: {function.name}"
        for path, tree in TREES.items()
        for function in functions(tree)
        if (function.end_lineno or 0) - function.lineno >= FUNCTION_LINES
    }
    assert not long


def test_no_public_class_is_defined_twice() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path)
    twice = {name for name, paths in places.items() if len(paths) > 1}
    assert not twice - FORMATS
    for name in FORMATS:
        folders = sorted(path.split("/")[1] for path in places[name])
        assert folders == ["readers", "writers"], name


def test_no_public_function_is_defined_twice() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                places[node.name].append(path)
    # Each verb's module calls its own so.
    verbs = places.pop("command")
    assert all(path.startswith("cli/") for path in verbs)
    assert not {name: paths for name, paths in places.items() if len(paths) > 1}
