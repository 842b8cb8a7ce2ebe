"""Receivers of notifications that fail, and workers that die while they notify: every alert is told
by every channel in the end, and one receiver's trouble delays nobody else."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from ssl import Purpose, create_default_context
from tempfile import TemporaryDirectory

from shared.fault_points import FaultPoint, arm
from shared.read_models.deliveries import AT_ONCE, DeliveryState, deliveries
from tests.faults.cases.case import Case
from tests.faults.cases.own_child import OwnChild
from tests.faults.receivers import Receivers, receivers
from tests.faults.world import STRIKE_SECONDS, World
from tests.support.authority import create_authority
from tests.support.waiting import eventually, until
from tests.support.webhook_receiver import answer, webhook_receiver

CHANNELS = ("in_app", "webhook", "email")
POLICY = {"threshold": "high", "count": 3, "window_hours": 24, "channels": list(CHANNELS)}
IN_APP_SECONDS = 8.0
"""Shorter than one attempt at a receiver that hangs may take."""

ATTEMPT_SECONDS = 10.0
SLOW_SECONDS = 3.0
IN_THE_END_SECONDS = 90.0
FAMILIES, ALERTS = 4, 5


class NotTold(Exception):
    """A parent was not told as promised."""


async def _failing(world: World) -> int:
    """Errors and redirects; a mail server that refuses for now and for good."""
    webhook = [answer(500), answer(503), answer(307, "Location: http://127.0.0.1/")]
    mail = ["451 later", "550 never"]
    async with receivers() as them:
        them.webhook.answers += webhook
        them.mailbox.answers += mail
        child = await _family(world)
        violation = await child.raises_an_alert()
        await child.is_notified(violation, seconds=IN_APP_SECONDS)
        await _notified_in_the_end(child, violation)
        posted, mailed = them.copies()
        if (list(posted.values()), list(mailed.values())) != ([4], [3]):
            raise NotTold(f"posted {posted}, mailed {mailed}: not the same alert again")
    return len(webhook) + len(mail)


async def _hanging(world: World) -> int:
    """More alerts than a channel has places; meanwhile other families' are told in the app."""
    async with receivers() as them:
        them.hang()
        child = await _family(world)
        violations = [await child.raises_an_alert() for _ in range(2 * ALERTS)]
        await until(lambda: len(them.webhook.received) >= ALERTS, STRIKE_SECONDS)
        await _others_are_notified(world)
        await asyncio.sleep(ATTEMPT_SECONDS)
        await _others_are_notified(world)
        hung = len(them.webhook.received) + len(them.mailbox.message_ids)
        them.answer()
        await _notified_in_the_end(child, *violations)
    return hung


async def _slow(world: World) -> int:
    """An answer that comes late is an answer: nothing is sent twice."""
    async with receivers() as them:
        them.hang()
        child = await _family(world)
        violations = [await child.raises_an_alert() for _ in range(ALERTS)]
        await until(lambda: len(them.webhook.received) >= ALERTS, STRIKE_SECONDS)
        await _others_are_notified(world)
        await asyncio.sleep(SLOW_SECONDS)
        them.answer()
        await _reported(child, *violations)
        _require_once(them, ALERTS)
    return 2 * ALERTS


async def _away(world: World) -> int:
    """Nobody listens where the receivers should be, then somebody does."""
    child = await _family(world)
    violation = await child.raises_an_alert()
    await child.is_notified(violation, seconds=IN_APP_SECONDS)
    await eventually(lambda: _was_tried(child), STRIKE_SECONDS)
    async with receivers():
        await _notified_in_the_end(child, violation)
    return 2


async def _bad_tls(world: World) -> int:
    """Another worker, which alone is awake, posts to somebody for whom nobody vouches."""
    with TemporaryDirectory() as folder:
        tls = create_default_context(Purpose.CLIENT_AUTH)
        tls.load_cert_chain(create_authority(Path(folder)).server_file)
        async with webhook_receiver(tls) as stranger:
            child = await _family(world)
            with world.frozen("worker"):
                async with world.another("worker", **stranger.settings):
                    violation = await child.raises_an_alert()
                    await eventually(lambda: _was_tried(child), STRIKE_SECONDS)
                    await child.is_notified(violation)
    if stranger.received:
        raise NotTold("an alert was posted to somebody for whom nobody vouches")
    await world.is_well("worker")
    async with receivers():
        await _notified_in_the_end(child, violation)
    return 1


async def _killed(point: FaultPoint, world: World) -> int:
    async with receivers():
        child = await _family(world)
        async with _injected(world, point):
            violation = await child.raises_an_alert()
        await _notified_in_the_end(child, violation)
    return 1


async def _store_away(world: World) -> int:
    """MongoDB dies between the receiver's answer and the note of it."""
    async with receivers() as them:
        child = await _family(world)
        worker = world.process("worker")
        async with _injected(world, FaultPoint.NOTIFICATION_BEFORE_NOTE, signal.SIGSTOP):
            violation = await child.raises_an_alert()
        await world.kill("mongod")
        os.kill(worker.pid, signal.SIGCONT)
        await _reported(child, violation)
        _require_once(them, 1)
    return 1


async def _broker_away(world: World) -> int:
    """The broker dies before it hears of an alert that is written already."""
    async with receivers():
        child = await _family(world)
        worker = world.process("worker")
        async with _injected(world, FaultPoint.WORKER_AFTER_COMMIT, signal.SIGSTOP):
            violation = await child.raises_an_alert()
        await world.kill("kafka")
        os.kill(worker.pid, signal.SIGCONT)
        await _notified_in_the_end(child, violation)
    return 1


async def _two_workers(world: World) -> int:
    """Both sweep; each alert goes out once."""
    async with receivers() as them, world.another("worker"):
        children = [await _family(world) for _ in range(FAMILIES)]
        raised = [(child, await child.raises_an_alert()) for child in children * ALERTS]
        for child, violation in raised:
            await _reported(child, violation)
        _require_once(them, len(raised))
    return len(raised)


async def _family(world: World) -> OwnChild:
    """Whose parent is to be told by every channel."""
    child = await OwnChild.registered(world)
    await child.sends("PUT", "/alert-policy", POLICY)
    await child.is_projected()
    return child


async def _others_are_notified(world: World) -> None:
    other = await OwnChild.registered(world)
    await other.is_notified(await other.raises_an_alert(), seconds=IN_APP_SECONDS)


async def _reported(child: OwnChild, *violations: str) -> None:
    for violation in violations:
        for channel in CHANNELS:
            await child.is_notified(violation, channel, IN_THE_END_SECONDS)


async def _notified_in_the_end(child: OwnChild, *violations: str) -> None:
    """As if the pauses between two attempts, and the claims of the dead, were over."""
    hastening = asyncio.create_task(_hasten(child))
    try:
        await _reported(child, *violations)
    finally:
        hastening.cancel()
        await asyncio.gather(hastening, return_exceptions=True)


async def _hasten(child: OwnChild) -> None:
    while True:
        await asyncio.sleep(2.0)
        await deliveries(child.world.on.database).update_many(
            {"child_id": child.child_id, "state": DeliveryState.PENDING},
            {"$set": {"next_attempt_at": AT_ONCE}},
        )


async def _was_tried(child: OwnChild) -> bool:
    """The webhook, in vain."""
    wanted = {"child_id": child.child_id, "channel": "webhook", "last_error": {"$ne": None}}
    return await deliveries(child.world.on.database).find_one(wanted) is not None


@asynccontextmanager
async def _injected(
    world: World, point: FaultPoint, number: signal.Signals = signal.SIGKILL
) -> AsyncIterator[None]:
    """The worker gets there during the block, or behind it; a killed one is back then."""
    before = world.process("worker")
    arm(world.fault_folder, point, number)
    yield
    await until(lambda: not (world.fault_folder / point).exists(), STRIKE_SECONDS)
    if number == signal.SIGKILL:
        await world.is_back(before)


def _require_once(them: Receivers, alerts: int) -> None:
    for copies in them.copies():
        if sorted(copies.values()) != [1] * alerts:
            raise NotTold(f"{alerts} alerts were sent {dict(copies)}")


def _cases() -> Sequence[Case]:
    notified = (
        ("receivers-failing", "receivers answer 500, 503, a redirect, 451 and 550", _failing),
        ("receivers-hanging", "receivers accept alerts and never answer; then they do", _hanging),
        ("receivers-slow", f"receivers answer {SLOW_SECONDS:.0f} s late", _slow),
        ("receivers-away", "receivers refuse connections; then they accept them", _away),
        ("receiver-of-bad-tls", "a receiver has an untrusted certificate", _bad_tls),
        ("notifying-killed-before-send", "SIGKILL of the worker: before it sends", _BEFORE_SEND),
        ("notifying-killed-before-note", "SIGKILL of the worker: sent, not recorded", _BEFORE_NOTE),
        ("notifying-store-killed", "SIGKILL of MongoDB: sent, not recorded", _store_away),
        ("notifying-broker-killed", "SIGKILL of the broker: raised, not published", _broker_away),
        ("notifying-two-workers", "two workers notify of the same alerts", _two_workers),
    )
    return tuple(Case(name, injects, inject) for name, injects, inject in notified)


_BEFORE_SEND = partial(_killed, FaultPoint.NOTIFICATION_BEFORE_SEND)
_BEFORE_NOTE = partial(_killed, FaultPoint.NOTIFICATION_BEFORE_NOTE)
CASES = _cases()
