"""An incident whose evidence can be asked for: in the event store, in the trail, and signed."""

from dataclasses import replace

from shared.audit.record import AuditRecord
from tests.support.child_facts import ADA, REGISTER, REPORT, update
from tests.support.command_side import MOTHER, OFFICER, CommandSide, Database, StoppedClock
from tests.support.query_side import QuerySide


def look(subject: str, side: QuerySide, **fields: object) -> AuditRecord:
    """Somebody was shown Ada's profile."""
    usual: dict[str, object] = {
        "at": side.now,
        "subject": subject,
        "role": "safety_officer",
        "operation": "GetChildProfile",
        "outcome": "answered",
        "address": "192.0.2.7",
        "children": (ADA,),
    }
    return AuditRecord(**{**usual, **fields})  # type: ignore[arg-type]


async def incident(side: QuerySide, child_id: str = ADA, *, signed: bool = True) -> CommandSide:
    """A child's VIOLATION is reported, its mother changes its profile, an officer looks at it."""
    command = CommandSide(Database(events=side.events), StoppedClock(side.now))
    for what, who in ((REGISTER, MOTHER), (REPORT, OFFICER), (update(age=8), MOTHER)):
        await command.do(replace(what, child_id=child_id), who)
    side.trail.write(*command.audit.entries, segment="command-1")
    about = {"children": (child_id,)}
    side.trail.write(
        look("officer-2", side, **about), look("parent-ada", side, role="parent", **about)
    )
    if signed:
        side.sign()
    return command
