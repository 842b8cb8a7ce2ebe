"""Every command that shows a table, piped where a terminal would have 40 columns: `grep` finds what
it looks for, whole, and nothing but text comes through."""

import re

import pytest

from deploy.local.state import StackFolder, StackState
from shared.auth.access import Role
from shared.clock import new_id
from tests.support.callers import client
from tests.support.commands import NARROW, teddy
from tests.support.consents import CONSENTS
from tests.support.waiting import eventually

TABLES = {
    "audit show --child {child}": "GetChildProfile .*{child}",
    "keys status": "kek-.+ active ",
    "load --registrations 2 --commands 2": "repeated keys with the first answer +│",
    "notifications list --state any": "│ .+ │ delivered ",
    "replay events --child {child}": "{child} +│ 1 +│ ChildRegistered ",
    "replay show --child {child}": "{parent}",
    "replay status": "│ 1 +│ live +│",
    "retention plan": "400 days +│",
    "status": "│ query +│ {pid} +│ {address} +│ yes",
    "verify": "digest of all children +│ [0-9a-f]{{64}} +│",
}
"""What some line of the table holds, the ids in it whole. Those of `dead-letter` are shown in
tests/integration/projection, as narrow as here."""


class Family:
    """A parent whose child had an incident that the parent was notified of in the app."""

    def __init__(self, folder: StackFolder, state: StackState) -> None:
        self.folder = folder
        self.state = state
        self.parent = f"parent-{new_id()}"
        self.child = ""

    async def settle(self) -> None:
        async with client(self.state, Role.PARENT, self.parent) as parent:
            child = await parent.register_child("Mia", 6, new_id(), consents=CONSENTS)
            self.child = child["child_id"]
            await parent.report_safety_violation(self.child, "violence", "critical")
            await parent.get_child_profile(self.child)

    async def is_shown(self, command: str, line: str) -> bool:
        """Whether it is, with nothing else than text."""
        said = await teddy(self.folder, *command.format_map(vars(self)).split())
        assert said.code == 0, said
        assert "\x1b" not in said.out
        return any(re.search(line, each) for each in said.out.splitlines())


@pytest.mark.parametrize(("command", "holds"), TABLES.items())
async def test_a_line_holds_what_belongs_together(
    services: StackFolder, running: StackState, command: str, holds: str
) -> None:
    # given
    assert NARROW == {"COLUMNS": "40"}
    family = Family(services, running)
    await family.settle()
    query = next(process for process in running.processes if process.name == "query")
    line = holds.format(
        child=family.child, parent=family.parent, pid=query.pid, address=query.address
    )
    # when / then: records and notifications are written beside the requests
    await eventually(lambda: family.is_shown(command, line))
