"""An operator's look at personal data from the command line, on the record before it is shown."""

import getpass
import socket
from collections.abc import Iterable

from shared.audit.process import AuditProcess
from shared.audit.record import AuditRecord, children_of
from shared.audit.trail import AuditUnavailable
from shared.clock import new_id, utc_now
from shared.settings import AuditSettings

ROLE = "operator"


async def record_look(settings: AuditSettings, operation: str, children: Iterable[str]) -> None:
    """Returns once the look is durable and signed; raises AuditUnavailable or SigningKeyRefused:
    then nothing may be shown. The subject is the system's name of whoever runs the command."""
    strict = settings.model_copy(update={"audit_strict": True})
    process = AuditProcess(strict, "command-line")
    async with process.running() as trail:
        await trail.record(
            AuditRecord(
                at=utc_now(),
                subject=getpass.getuser(),
                role=ROLE,
                operation=operation,
                outcome="answered",
                address=socket.gethostname(),
                correlation_id=new_id(),
                children=children_of(children),
            )
        )
    if not process.is_proved:
        raise AuditUnavailable("the look is on record, but no head could be signed for it")
