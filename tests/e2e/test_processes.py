"""Each process of a running stack reports on itself, and again after it was killed."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.local.state import StackFolder, StackState
from shared.auth.access import Role
from shared.client import TeddyClient
from shared.clock import new_id
from shared.kafka import CHILD_EVENTS
from tests.support.callers import client
from tests.support.consents import CONSENTS
from tests.support.own_servers import own_stack, state_of
from tests.support.waiting import eventually

SOON = 90.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackFolder]:
    """A process of it is killed."""
    with own_stack(tmp_path_factory.mktemp("reporting")) as folder:
        yield folder


async def by_kind(admin: TeddyClient) -> dict[str, dict[str, Any]]:
    """The only process of each kind."""
    answer = await admin.get_system_processes()
    assert answer["unread"] == []
    return {one["kind"]: one for one in answer["processes"]}


async def test_each_process_says_what_it_does_and_how_far_it_is_behind(state: StackState):
    parent_id = f"parent-{new_id()}"
    async with (
        client(state, Role.PARENT, parent_id) as parent,
        client(state, Role.ADMIN, "admin-1") as admin,
    ):
        # given
        await eventually(
            lambda: by_kind(admin), SOON, lambda kinds: {"command", "relay", "worker"} <= set(kinds)
        )
        # when
        await parent.register_child("Mia", 6, new_id(), consents=CONSENTS)
        # then
        kinds = await eventually(
            lambda: by_kind(admin),
            SOON,
            lambda kinds: all(kinds[kind]["rate"] for kind in ("command", "relay", "worker")),
        )
        assert kinds["command"]["p99_seconds"] > 0
        assert kinds["worker"]["p99_seconds"] > 0
        assert kinds["relay"]["leads"] is True
        assert {one["starts"] for kind, one in kinds.items() if kind != "query"} == {1}
        assert not any(one["silent"] for one in kinds.values())
        partitions = (await admin.get_system_processes())["partitions"]
        assert [one["partition"] for one in partitions] == list(range(CHILD_EVENTS.partitions))
        assert {one["worker"] for one in partitions} == {kinds["worker"]["name"]}


async def test_a_process_that_was_killed_and_started_again_counts_its_starts(
    state: StackState, folder: StackFolder
):
    async with client(state, Role.ADMIN, "admin-1") as admin:
        # given
        before = (await eventually(lambda: by_kind(admin), SOON, lambda kinds: "relay" in kinds))[
            "relay"
        ]
        # when
        relay = next(one for one in state_of(folder).processes if one.name == "relay")
        os.kill(relay.pid, signal.SIGKILL)
        # then
        after = await eventually(
            lambda: by_kind(admin),
            SOON,
            lambda kinds: kinds["relay"]["starts"] > before["starts"],
        )
        assert after["relay"]["name"] == before["name"]
        assert after["relay"]["started_at"] > before["started_at"]
