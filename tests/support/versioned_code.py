"""`make digests`: note which code each stored version stands for, that of the projections and that
of snapshots. Who changes this code is asked for a new version by a test.

The digest of a file is one of all its definitions that the roots reach through whatever they call.
Comments, docstrings, line breaks, their order and annotations of parameters change no digest.
"""

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from command_service.aggregates import snapshot_layout
from projection_worker.projections import registry

ROOT = Path(__file__).parents[2]
DIGESTS = ROOT / "tests/golden/code/digests.json"


@dataclass(frozen=True, slots=True)
class Versioned:
    """`place`: where the version stands. `outlives`: what is stored and read by later code.
    `roots`: modules, or definitions as `module:name`."""

    version: str
    place: str
    outlives: str
    roots: tuple[str, ...]


def versioned() -> Mapping[str, Versioned]:
    return {
        "projections": Versioned(
            str(registry.VERSION),
            "VERSION in projection_worker/projections/registry.py",
            "read models",
            ("projection_worker.projections.registry", "shared.keyring.search_index:SearchIndex"),
        ),
        "snapshots": Versioned(
            snapshot_layout.SCHEMA,
            "SCHEMA in command_service/aggregates/snapshot_layout.py",
            "snapshots",
            ("command_service.aggregates.snapshot_layout", "command_service.child.decider:evolve"),
        ),
    }


Definition = tuple[str, str]
"""A module and a name that it defines at its top."""


@dataclass(frozen=True, slots=True)
class Source:
    """One module: what it defines, and by which names it imports modules and definitions of this
    project (with an empty name: a module)."""

    file: str
    defines: Mapping[str, tuple[ast.stmt, ...]]
    imports: Mapping[str, Definition]


def digests(roots: tuple[str, ...]) -> dict[str, str]:
    """The digest of each file that the roots reach."""
    texts: dict[str, list[str]] = {}
    for module, name in sorted(_reached(roots)):
        known = source(module)
        for statement in known.defines[name]:
            texts.setdefault(known.file, []).append(" ".join(_text(statement)))
    return {
        file: hashlib.blake2b("\n".join(text).encode(), digest_size=8).hexdigest()
        for file, text in sorted(texts.items())
    }


def _reached(roots: tuple[str, ...]) -> set[Definition]:
    waiting = [one for root in roots for one in _of_root(root)]
    reached: set[Definition] = set()
    while waiting:
        module, name = one = waiting.pop()
        if one not in reached:
            reached.add(one)
            for statement in source(module).defines[name]:
                waiting += _references(module, statement)
    return reached


def _of_root(root: str) -> list[Definition]:
    """Raises LookupError or OSError for one that is not there: it moved, name it anew."""
    module, _, name = root.partition(":")
    found = list(_definitions(module, name))
    if not found:
        raise LookupError(f"no {name} in {module}")
    return found


def _definitions(module: str, name: str) -> Iterator[Definition]:
    """What `name` means in the module; all that it defines where there is no name."""
    known = source(module)
    if not name:
        yield from ((module, each) for each in known.defines)
    elif name in known.defines:
        yield module, name
    elif name in known.imports:
        yield from _definitions(*known.imports[name])


def _references(module: str, statement: ast.stmt) -> Iterator[Definition]:
    imports = source(module).imports
    for node in _walked(statement):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            imported, name = imports.get(node.value.id, ("", "."))
            if not name:
                yield from _definitions(imported, node.attr)
        elif isinstance(node, ast.Name) and imports.get(node.id, ("", "."))[1]:
            yield from _definitions(module, node.id)


@cache
def source(module: str) -> Source:
    path = _path(module)
    tree = ast.parse(path.read_text())
    defines: dict[str, tuple[ast.stmt, ...]] = {}
    imports: dict[str, Definition] = {}
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module is not None:
            for alias in statement.names:
                imported = _imported(statement.module, alias.name)
                if imported is not None:
                    imports[alias.asname or alias.name] = imported
        for name in _names(statement):
            defines[name] = (*defines.get(name, ()), statement)
    return Source(str(path.relative_to(ROOT)), defines, imports)


def _imported(module: str, name: str) -> Definition | None:
    """None for what is not of this project."""
    if _path(f"{module}.{name}").exists():
        return f"{module}.{name}", ""
    return (module, name) if _path(module).exists() else None


def _path(module: str) -> Path:
    path = ROOT / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _names(statement: ast.stmt) -> list[str]:
    """What it defines."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [statement.name]
        case ast.Assign():
            stored = [one for target in statement.targets for one in ast.walk(target)]
            return [one.id for one in stored if isinstance(one, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []


def _walked(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for _, value in _parts(node):
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, ast.AST):
                yield from _walked(one)


def _text(value: Any) -> Iterator[str]:
    """The same on every Python: without what is empty, of which newer ones have more."""
    if isinstance(value, ast.AST):
        yield f"({type(value).__name__}"
        for name, part in _parts(value):
            yield name
            yield from _text(part)
        yield ")"
    elif isinstance(value, list):
        for one in value:
            yield from _text(one)
            yield ","
    else:
        yield repr(value)


def _parts(node: ast.AST) -> Iterator[tuple[str, Any]]:
    for name, value in ast.iter_fields(node):
        if name in ("ctx", "kind", "returns") or (isinstance(node, ast.arg) and name != "arg"):
            continue
        listed = isinstance(value, list)
        part = [one for one in value if not _is_docstring(one)] if listed else value
        if part not in (None, []):
            yield name, part


def _is_docstring(node: Any) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def current() -> dict[str, dict[str, Any]]:
    """What DIGESTS holds once it is renewed."""
    return {
        name: {"version": one.version, "files": digests(one.roots)}
        for name, one in versioned().items()
    }


def complaints(noted: Mapping[str, Any]) -> list[str]:
    """What is to be done about each version whose code is not the one that is noted."""
    found = []
    for name, one in versioned().items():
        now = digests(one.roots)
        before = noted[name]["files"]
        changed = sorted(file for file in now | before if now.get(file) != before.get(file))
        if noted[name]["version"] != one.version:
            found.append(f"{one.place} is {one.version} now: run `make digests`")
        elif changed:
            found.append(
                f"{', '.join(changed)} changed, and {one.place} did not. Raise it if "
                f"{one.outlives} of older code are not what this code would write; then, or if "
                f"the change alters no result, run `make digests`"
            )
    return found


if __name__ == "__main__":
    DIGESTS.write_text(json.dumps(current(), indent=2) + "\n")
    print(f"{DIGESTS.relative_to(ROOT)} is renewed")
