"""`python -m deploy.checks.shape`: how large the code is and where; fails on what must not grow.

A function has at most 40 lines, a file of the product at most 250, and no module imports itself by
way of others.
"""

import ast
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from shared.command_line import Table

MAX_FUNCTION, MAX_FILE = 40, 250
PRODUCT = (
    *("command_service", "projection_worker", "query_service", "shared"),
    *("deploy", "examples"),
)
TESTS = "tests"


@dataclass(frozen=True, slots=True)
class Source:
    """A file of Python, by its path below the project."""

    path: str
    text: str

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def sources(folders: Sequence[str]) -> list[Source]:
    files = (path for folder in folders for path in sorted(Path(folder).rglob("*.py")))
    return [Source(path.as_posix(), path.read_text(encoding="utf-8")) for path in files]


def long_functions(source: str, max_lines: int = MAX_FUNCTION) -> Iterator[tuple[int, str, int]]:
    """Line, name and length of each function that is too long, decorators not counted."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > max_lines:
                yield node.lineno, node.name, lines


def imports(of: Source, modules: Iterable[str]) -> set[str]:
    """Those of `modules` that the source imports, wherever in it."""
    known, found = set(modules), set()
    for node in ast.walk(ast.parse(of.text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= members & known or {node.module}
    return (found & known) - {of.module}


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Modules each of which imports the next, the last one the first; none where all is well."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def findings(files: Sequence[Source]) -> Iterator[str]:
    for file in files:
        for line, name, lines in long_functions(file.text):
            yield f"{file.path}:{line}: {name} has {lines} lines, over {MAX_FUNCTION}"
        if file.lines > MAX_FILE and not file.path.startswith(f"{TESTS}/"):
            yield f"{file.path} has {file.lines} lines, over {MAX_FILE}"
    modules = [file.module for file in files]
    if ring := circle({file.module: imports(file, modules) for file in files}):
        yield f"import cycle: {' -> '.join(ring)}"


def measures(files: Sequence[Source]) -> Iterator[tuple[str, ...]]:
    """Files and lines of each folder, and of the product as a whole."""
    folders = {folder: (f"{folder}/",) for folder in (*PRODUCT, TESTS)}
    for name, places in {**folders, "product": tuple(f"{one}/" for one in PRODUCT)}.items():
        lines = [file.lines for file in files if file.path.startswith(places)]
        median = f"{statistics.median(lines):.0f}"
        yield name, str(len(lines)), f"{sum(lines):,}", median, f"{max(lines)}"


def main() -> int:
    files = sources((*PRODUCT, TESTS))
    shown = Table("folder", "files", "lines", "median file", "longest file")
    for row in measures(files):
        shown.add(*row)
    shown.print()
    found = list(findings(files))
    print("\n".join(found) or "no long function, no long file, no import cycle")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
