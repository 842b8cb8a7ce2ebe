"""`python -m deploy.checks.function_length FOLDER ...`: no function has more than 40 lines."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

MAX_LINES = 40


def long_functions(source: str, max_lines: int = MAX_LINES) -> Iterator[tuple[int, str, int]]:
    """Line, name and length of each function that is too long, decorators not counted."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > max_lines:
                yield node.lineno, node.name, lines


def main(folders: list[str]) -> int:
    found = [
        f"{path}:{line}: {name} has {lines} lines, at most {MAX_LINES} are allowed"
        for folder in folders
        for path in sorted(Path(folder).rglob("*.py"))
        for line, name, lines in long_functions(path.read_text())
    ]
    print("\n".join(found) or f"every function has at most {MAX_LINES} lines")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
