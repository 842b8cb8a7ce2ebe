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
BEGIN, END = "<!-- settings: begin -->", "<!-- settings: end -->"
PROCESSES: Mapping[str, type[BaseSettings]] = {
    "command": CommandSettings,
    "relay": RelaySettings,
    "worker": WorkerSettings,
    "query": QuerySettings,
    "topics": TopicSettings,
    "retention": RetentionSettings,
    "local": LocalStackSettings,
}
"""`topics`: whoever creates the topics, `teddy up` and `teddy topics apply`. `retention`: `teddy
retention`. `local`: `teddy up`."""


def table(processes: Mapping[str, type[BaseSettings]] = PROCESSES) -> str:
    """One row a setting, in the order of the processes that read it first."""
    readers: dict[str, list[str]] = {}
    fields: dict[str, FieldInfo] = {}
    for process, group in processes.items():
        for name, field in group.model_fields.items():
            fields[name] = field
            readers.setdefault(name, []).append(process)
    rows = ["| Variable | Read by | Default | Meaning |", "|---|---|---|---|"]
    rows += [_row(name, field, readers[name], len(processes)) for name, field in fields.items()]
    return "\n".join(rows)


def page_with(text: str, settings_table: str) -> str:
    """`text` with the table between its marks. Raises ValueError where a mark is missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{BEGIN} and {END} must surround the table")
    return f"{before}{begin}\n{settings_table}\n{end}{after}"


def main(arguments: Sequence[str], page: Path = PAGE) -> int:
    text = page.read_text()
    expected = page_with(text, table())
    if "--write" in arguments:
        page.write_text(expected)
    elif text != expected:
        print(f"{page.name} differs from the code; run `make configuration`")
        return 1
    print(f"{page.name} matches the code")
    return 0


def _row(name: str, field: FieldInfo, readers: Sequence[str], processes: int) -> str:
    by = "all" if len(readers) == processes else ", ".join(readers)
    cells = (f"`TEDDY_{name.upper()}`", by, _default(field.default), field.description or "")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "**required**"
    return "unset" if value is None else f"`{value}`"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
