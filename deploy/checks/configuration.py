"""`python -m deploy.checks.configuration [--write]`: docs/configuration.md matches the code.

The table of all `TEDDY_*` settings is generated from the settings classes; without `--write` it is
compared, and the exit code is 1 when it differs.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from command_service.settings import CommandSettings, RelaySettings
from deploy.local.settings import LocalStackSettings
from deploy.settings import RetentionSettings
from projection_worker.settings import WorkerSettings
from query_service.settings import QuerySettings
from shared.settings import TopicSettings

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
PROCESSES: Mapping[str, type[BaseSettings]] = {
    "command": CommandSettings,
    "relay": RelaySettings,
    "worker": WorkerSettings,
    "query": QuerySettings,
    "topics": TopicSettings,
    "retention": RetentionSettings,
    "local": LocalStackSettings,
}
"""`topics`: `teddy up` and `teddy topics apply`. `retention`: `teddy retention`. `local`: `teddy
up`."""


def table(processes: Mapping[str, type[BaseSettings]] = PROCESSES) -> str:
    """One row a setting, in the order of the processes that read it first."""
    readers: dict[str, list[str]] = {}
    cells: dict[str, tuple[str, str, str]] = {}
    for process, group in processes.items():
        schemas = group.model_json_schema()["properties"]
        for name, field in group.model_fields.items():
            readers.setdefault(name, []).append(process)
            cells[name] = (_default(field), _allowed(schemas[name]), field.description or "")
    rows = ["| Variable | Read by | Default | Allowed | Meaning |", "|---|---|---|---|---|"]
    for name, rest in cells.items():
        by = "all" if len(readers[name]) == len(processes) else ", ".join(readers[name])
        row = " | ".join(cell.replace("|", "\\|") for cell in (by, *rest))
        rows.append(f"| `TEDDY_{name.upper()}` | {row} |")
    return "\n".join(rows)


def with_generated(page: str, mark: str, content: str) -> str:
    """`page` with `content` between the two lines of `mark`. Raises ValueError without them."""
    begin, end = f"<!-- {mark}: begin -->\n", f"<!-- {mark}: end -->\n"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"the page needs the lines {begin.strip()} and {end.strip()}")
    return f"{before}{begin}{content}\n{end}{after}"


def main(arguments: Sequence[str], page: Path = PAGE) -> int:
    text = page.read_text()
    expected = with_generated(text, "settings", table())
    if "--write" in arguments:
        page.write_text(expected)
    elif text != expected:
        print(f"{page.name} differs from the code; run `make configuration`")
        return 1
    print(f"{page.name} matches the code")
    return 0


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "**required**"
    return "unset" if field.default is None else f"`{_written(field.default)}`"


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _allowed(schema: Mapping[str, Any]) -> str:
    """The values or the range in a field's JSON Schema; empty for a text, a path, a URL."""
    if allowed := schema.get("allowed"):
        return str(allowed)
    (schema,) = [s for s in schema.get("anyOf", [schema]) if s.get("type") != "null"]
    if values := schema.get("enum", [True, False] if schema.get("type") == "boolean" else []):
        return ", ".join(f"`{_written(value)}`" for value in values)
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f"{least:.12g} to {most:.12g}"
    bounds = {
        "more than": schema.get("exclusiveMinimum"),
        "at least": least,
        "less than": schema.get("exclusiveMaximum"),
        "at most": most,
    }
    return ", ".join(
        f"{words} {bound:.12g}" for words, bound in bounds.items() if bound is not None
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
