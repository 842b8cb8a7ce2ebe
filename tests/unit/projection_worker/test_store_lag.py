"""What a worker knows of the event store: samples that the live generation shows, or does not."""

from datetime import timedelta
from math import inf

import pytest

from projection_worker.consuming.lag import MOST_PENDING, Attempts, Stalled, StoreLag, WorkerLag
from tests.support.projection_facts import NOON


def test_what_is_stored_and_not_shown_waits_since_it_was_seen() -> None:
    lag = StoreLag()
    # when
    lag.stored({"lena": 3, "mia": 1}, at=10)
    lag.projected({"lena": 3})
    lag.stored({"mia": 2}, at=20)
    # then
    assert (lag.events, lag.children, lag.seconds(now=25)) == (2, {"mia"}, 15)


def test_a_later_version_shows_an_earlier_one() -> None:
    lag = StoreLag()
    lag.stored({"lena": 3}, at=10)
    # when
    lag.projected({"lena": 7})
    # then
    assert (lag.events, lag.seconds(now=25)) == (0, 0.0)


def test_nothing_more_is_awaited_of_a_dead_lettered_child() -> None:
    lag = StoreLag()
    lag.stored({"lena": 3}, at=10)
    # when
    lag.projected({"lena": inf})
    # then
    assert lag.events == 0


def test_all_is_projected_up_to_the_last_look_before_the_oldest_that_waits() -> None:
    lag = StoreLag()
    # given a child that stands still while others move
    for second in range(5):
        lag.stored({f"child-{second}": 1}, at=second)
    shown = {"child-0": 1.0, "child-1": 1.0, "child-3": 1.0, "child-4": 1.0}
    # when
    lag.projected(shown)
    # then
    assert lag.through == 1
    # when it moves, too
    lag.projected({"child-2": 1})
    # then
    assert lag.through == 4


def test_of_a_store_that_runs_away_no_more_is_remembered_and_nothing_taken_as_projected() -> None:
    lag = StoreLag()
    for number in range(2 * MOST_PENDING):
        lag.stored({f"child-{number}": 1}, at=number)
    # when
    lag.projected({})
    # then
    assert (lag.events, lag.through) == (MOST_PENDING, None)


def test_a_worker_that_reads_nothing_is_behind_though_kafka_has_nothing_for_it() -> None:
    # given
    lag = WorkerLag(lambda: NOON + timedelta(hours=1), stall_seconds=60)
    lag.measure(ends={}, positions={}, now=0)
    # when: seen in the store long ago, by the clock of the machine
    lag.store.stored({"lena": 1}, at=-1_000_000)
    # then
    assert lag.report()["events"] == 1
    assert lag.report()["seconds"] > 1_000_000
    (finding,) = lag.findings()
    assert "behind the event store" in finding


def test_a_store_that_is_shown_is_no_finding() -> None:
    lag = WorkerLag(lambda: NOON, stall_seconds=60)
    lag.store.stored({"lena": 1}, at=-1_000_000)
    lag.store.projected({"lena": 1})

    assert lag.findings() == ()
    assert lag.report() == {"events": 0, "seconds": 0.0}


def test_attempts_in_vain_count_from_the_first_to_the_next_that_works() -> None:
    now = 0.0
    attempts = Attempts("offsets could not be committed", lambda: now)
    # given
    attempts.failed()
    now = 61
    attempts.failed()
    # when / then
    with pytest.raises(Stalled, match="offsets could not be committed for 61 s"):
        attempts.check(limit_seconds=60)
    # when
    attempts.worked()
    # then
    attempts.check(limit_seconds=60)
