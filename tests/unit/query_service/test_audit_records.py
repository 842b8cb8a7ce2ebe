"""Who looked at a child: page by page, with what was altered, for those who look after children."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.audit import looks
from shared.audit.chain import place_of
from shared.auth.access import Principal
from tests.support.child_facts import ADA
from tests.support.incidents import look
from tests.support.problem_documents import assert_problem
from tests.support.query_side import ADMIN, ANALYST, OFFICER, QuerySide, device, parent

PATH = f"/v1/children/{ADA}/audit-records"
OTHER = "00000000-0000-4000-8000-000000000002"


async def page(side: QuerySide, limit: int = 50, cursor: str | None = None) -> dict[str, Any]:
    parameters = {"limit": limit} | ({} if cursor is None else {"cursor": cursor})
    answer = await side.get(PATH, OFFICER, params=parameters)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


async def all_pages(side: QuerySide, limit: int) -> list[list[str]]:
    """The subjects on each page."""
    pages, cursor = [], None
    while True:
        found = await page(side, limit, cursor)
        pages.append([one["subject"] for one in found["items"]])
        cursor = found["next_cursor"]
        if cursor is None:
            return pages


def fill(side: QuerySide, *blocks: tuple[str, ...], segment: str = "query-1") -> None:
    """Blocks of records about Ada by these subjects, a second apart; `-`: about somebody else."""
    for number, subjects in enumerate(blocks):
        at = side.now + timedelta(seconds=number)
        others = {True: (OTHER,), False: (ADA,)}
        records = [look(one, side, at=at, children=others[one == "-"]) for one in subjects]
        side.trail.write(*records, segment=segment)


async def test_it_says_who_asked_for_what_when_from_where_and_with_which_outcome(side: QuerySide):
    side.trail.write(look("officer-2", side, outcome="child-not-found"))
    (found,) = (await page(side))["items"]
    assert found == {
        "at": "2026-11-23T12:00:00.000Z",
        "subject": "officer-2",
        "role": "safety_officer",
        "operation": "GetChildProfile",
        "outcome": "child-not-found",
        "address": "192.0.2.7",
    }


@pytest.mark.parametrize(
    ("role", "address"),
    [
        ("parent", None),
        ("device", None),
        ("", None),
        ("of-a-later-release", None),
        ("safety_officer", "192.0.2.7"),
        ("analyst", "192.0.2.7"),
        ("admin", "192.0.2.7"),
        ("operator", "192.0.2.7"),
    ],
)
async def test_the_address_is_told_of_whoever_is_surely_not_the_family(
    side: QuerySide, role: str, address: str | None
):
    side.trail.write(look("x", side, role=role))
    assert (await page(side))["items"][0]["address"] == address


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 50])
async def test_pages_together_are_all_records_once_the_newest_first(side: QuerySide, limit: int):
    # given records of two processes, some beside those of others
    fill(side, ("a", "b", "-", "c"), ("-", "d"), ("e", "f", "g"))
    fill(side, ("h",), segment="query-2")
    # when
    pages = await all_pages(side, limit)
    # then
    assert "".join(one for subjects in pages for one in subjects) == "gfedhcba"
    assert {len(subjects) for subjects in pages[:-1]} <= {limit}


async def test_more_blocks_than_are_read_at_once_are_each_listed_once(
    side: QuerySide, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(looks, "BLOCKS_AT_ONCE", 3)
    fill(side, *((str(number),) for number in range(10)))
    (subjects,) = await all_pages(side, 50)
    assert subjects == [str(number) for number in reversed(range(10))]


async def test_a_page_reads_no_more_than_its_part_of_the_trail(side: QuerySide):
    # given a long history
    fill(side, *((str(number),) for number in range(500)))
    side.trail.read = 0
    # when
    first = await page(side, limit=10)
    second = await page(side, limit=10, cursor=first["next_cursor"])
    # then
    assert [one["subject"] for one in second["items"]] == [str(n) for n in range(489, 479, -1)]
    assert side.trail.read <= 2 * looks.BLOCKS_AT_ONCE


async def test_a_page_whose_blocks_are_full_of_others_ends_early_and_goes_on(
    side: QuerySide, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(looks, "MOST_LINES", 10)
    fill(side, *((str(number), *"-------") for number in range(6)))
    pages = await all_pages(side, 50)
    assert pages == [["5", "4"], ["3", "2"], ["1", "0"]]


async def test_what_came_meanwhile_moves_no_record_to_another_page(side: QuerySide):
    fill(side, ("a",), ("b",), ("c",))
    first = await page(side, limit=2)
    side.trail.write(look("new", side, at=side.now + timedelta(minutes=1)))
    second = await page(side, limit=2, cursor=first["next_cursor"])
    assert [one["subject"] for one in second["items"]] == ["a"]


async def test_what_was_altered_is_said_on_the_page_that_shows_it(side: QuerySide):
    # given a record in which somebody put another name
    fill(side, ("culprit",), ("b",))
    (place,) = [one for one, block in side.trail.kept.items() if block.first == 1]
    block = side.trail.kept[place]
    lines = tuple(line.replace("culprit", "nobody") for line in block.lines)
    side.trail.kept[place] = replace(block, lines=lines)
    # when
    newest = await page(side, limit=1)
    oldest = await page(side, limit=1, cursor=newest["next_cursor"])
    # then
    assert newest["findings"] == []
    assert oldest["findings"] == ["audit segment query-1, record 1: edited"]
    assert oldest["items"][0]["subject"] == "nobody"


async def test_an_index_that_leads_to_blocks_of_others_is_found_out(side: QuerySide):
    side.trail.write(look("a", side, children=(OTHER,)))
    place = place_of("query-1", 1)
    block = side.trail.kept[place]
    side.trail.kept[place] = replace(block, beside={**block.beside, "children": [ADA]})
    found = await page(side)
    assert found["items"] == []
    assert "children not as these say" in found["findings"][0]


async def test_it_also_tells_of_an_erased_child_and_of_an_id_that_nobody_has(side: QuerySide):
    await side.list_as_erased(ADA)
    side.trail.write(look("officer-2", side))
    assert len((await page(side))["items"]) == 1
    nobody = await side.get(f"/v1/children/{OTHER}/audit-records", OFFICER)
    assert (nobody.status_code, nobody.json()["items"]) == (200, [])


@pytest.mark.parametrize("who", [parent("parent-ada"), device("b"), ANALYST], ids=lambda w: w.role)
async def test_it_is_for_officers_and_administrators(side: QuerySide, who: Principal):
    assert_problem(await side.get(PATH, who), 403, "forbidden")
    assert (await side.get(PATH, ADMIN)).status_code == 200


async def test_the_look_is_on_record_itself(side: QuerySide):
    await page(side)
    (entry,) = side.audit.entries
    assert (entry.operation, entry.subject) == ("GetChildAuditRecords", "officer-1")
    assert entry.children == (ADA,)


async def test_a_cursor_is_of_one_childs_list(side: QuerySide):
    fill(side, ("a",), ("b",))
    cursor = (await page(side, limit=1))["next_cursor"]
    for path in (f"/v1/children/{OTHER}/audit-records", "/v1/safety-violations"):
        answer = await side.get(path, OFFICER, params={"cursor": cursor})
        assert_problem(answer, 422, "invalid-request")


async def test_while_the_trail_cannot_be_read_it_says_so(side: QuerySide):
    side.trail.away = True
    answer = await side.get(PATH, OFFICER)
    assert_problem(answer, 503, "audit-trail-unavailable")
    assert answer.headers["Retry-After"] == "1"
