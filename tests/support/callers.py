"""Clients of a running stack, for any subject and role."""

from collections import defaultdict
from datetime import timedelta
from pathlib import Path

from deploy.local.state import StackState
from shared.auth.access import Principal, Role
from shared.auth.tokens import TokenIssuer
from shared.client import LiveUpdate, SeenWrites, TeddyClient
from shared.clock import utc_now
from shared.signing import read_signing_key

_written: defaultdict[str, SeenWrites] = defaultdict(SeenWrites)
"""By the address of the command API."""


def token(state: StackState, role: Role, subject: str) -> str:
    key = read_signing_key(Path(state.environment["TEDDY_SIGNING_KEY_FILE"]))
    issuer = TokenIssuer(key, "teddy-local", "teddy")
    return issuer.issue(Principal(subject, role), utc_now(), timedelta(hours=1))


def client(
    state: StackState, role: Role, subject: str, *, seen: SeenWrites | None = None
) -> TeddyClient:
    """It sees what any client of that stack wrote before, unless `seen` says what it has seen."""
    environment = state.environment
    command_url = environment["TEDDY_COMMAND_URL"]
    return TeddyClient(
        command_url,
        environment["TEDDY_QUERY_URL"],
        token(state, role, subject),
        seen=_written[command_url] if seen is None else seen,
    )


async def first_alert(parent: TeddyClient, parent_id: str) -> LiveUpdate:
    async for update in parent.live_updates(parent_id):
        if update["event"] == "alert":
            return update
    raise AssertionError("the stream ended without an alert")
