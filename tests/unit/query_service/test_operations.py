"""What administrators asked the workers to do, as they see it."""

from datetime import timedelta
from typing import Any

import pytest

from query_service.read_store.port import ReadStoreUnavailable
from shared.auth.access import Principal
from shared.clock import iso
from shared.operations import OperationState
from shared.read_models.operation_states import OperationStanding
from tests.support.query_side import ADMIN, ANALYST, OFFICER, QuerySide, device, parent

PATH = "/v1/system/operations"


async def test_each_says_how_far_it_is_and_what_came_of_it(side: QuerySide):
    # given
    asked, begun = side.now, side.now + timedelta(seconds=2)
    waits = OperationStanding("op-2", "rebuild", "admin-1", asked, OperationState.REQUESTED)
    ended = OperationStanding(
        *("op-1", "redrive-children", "admin-2", asked, OperationState.DONE),
        *(begun, begun, 3, 3, "3 children were redriven"),
    )
    side.store.started = [waits, ended]
    # when
    answer = await side.get(PATH, ADMIN)
    # then
    assert answer.status_code == 200, answer.text
    assert answer.json()["operations"] == [
        {
            "operation_id": "op-2",
            "kind": "rebuild",
            "requested_by": "admin-1",
            "requested_at": iso(asked),
            "state": "requested",
            "started_at": None,
            "ended_at": None,
            "done": None,
            "total": None,
            "outcome": None,
        },
        {
            "operation_id": "op-1",
            "kind": "redrive-children",
            "requested_by": "admin-2",
            "requested_at": iso(asked),
            "state": "done",
            "started_at": iso(begun),
            "ended_at": iso(begun),
            "done": 3,
            "total": 3,
            "outcome": "3 children were redriven",
        },
    ]


async def test_one_of_a_newer_release_is_shown_as_it_is_written(side: QuerySide):
    # given a kind and a state that this release does not know
    side.store.started = [
        OperationStanding("op-2", "compact-store", "admin-1", side.now, "paused"),
        OperationStanding("op-1", "rebuild", "admin-1", side.now, OperationState.DONE),
    ]
    # when
    answer = await side.get(PATH, ADMIN)
    # then
    assert answer.status_code == 200, answer.text
    shown = [(one["kind"], one["state"]) for one in answer.json()["operations"]]
    assert shown == [("compact-store", "paused"), ("rebuild", "done")]


async def test_the_last_twenty_are_shown(side: QuerySide):
    side.store.started = [
        OperationStanding(f"op-{at}", "rebuild", "admin-1", side.now, OperationState.FAILED)
        for at in range(21)
    ]
    shown = (await side.get(PATH, ADMIN)).json()["operations"]
    assert [one["operation_id"] for one in shown] == [f"op-{at}" for at in range(20)]


@pytest.mark.parametrize("principal", [parent("p"), device("d"), OFFICER, ANALYST], ids=str)
async def test_they_are_for_administrators(side: QuerySide, principal: Principal):
    assert (await side.get(PATH, principal)).status_code == 403


async def test_a_read_store_that_is_away_is_said_to_be(
    side: QuerySide, monkeypatch: pytest.MonkeyPatch
):
    async def away(_limit: int) -> Any:
        raise ReadStoreUnavailable

    monkeypatch.setattr(side.store, "started_operations", away)
    assert (await side.get(PATH, ADMIN)).status_code == 503
