from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shared.erasures import OLDER_REMAINS, REMAINS, open_receipt
from shared.event_store.port import OlderContent
from shared.keyring.erased_list import ErasureStep, StepDone
from shared.read_models.documents import ChildStatus
from shared.signing import StatementRefused
from tests.support.query_side import ADMIN, QuerySide, parent
from tests.support.read_model_builders import NOON

RECEIPT = "/v1/children/lena/erasure-receipt"


async def erased_lena(side: QuerySide, *steps: ErasureStep) -> None:
    await side.child("lena", parent_id="weiss")
    await side.list_as_erased("lena")
    side.change("lena", status=ChildStatus.ERASED.value)
    for number, step in enumerate(steps):
        await side.erased.record("lena", step, StepDone(NOON + timedelta(seconds=1), number))


async def test_the_family_gets_a_signed_receipt_of_what_was_removed(side: QuerySide):
    # given
    await erased_lena(side, *ErasureStep)
    # when
    answer = (await side.get(RECEIPT, parent("weiss"))).json()
    # then
    assert (answer["complete"], answer["outstanding"]) == (True, [])
    counts = [(one["step"], one["count"]) for one in answer["removed"]]
    assert counts == [(step.value, number) for number, step in enumerate(ErasureStep)]
    receipt = open_receipt(side.proof_keys, answer["receipt"])
    assert (receipt.child_id, receipt.version, receipt.hash) == ("lena", 2, "h2")
    assert receipt.complete


async def test_what_is_not_yet_done_is_named(side: QuerySide):
    await erased_lena(side, ErasureStep.KEY, ErasureStep.CLAIMS)
    answer = (await side.get(RECEIPT, ADMIN)).json()
    assert answer["complete"] is False
    assert answer["outstanding"] == ["snapshots", "read_models", "dead_letters"]


async def test_another_family_and_a_child_that_is_not_erased_have_no_receipt(side: QuerySide):
    # given
    await erased_lena(side)
    await side.child("tom", parent_id="weiss")
    # when
    async with side.client(parent("braun")) as stranger, side.client(parent("weiss")) as family:
        answers = [
            await stranger.get(RECEIPT),
            await family.get("/v1/children/tom/erasure-receipt"),
            await family.get("/v1/children/nobo/erasure-receipt"),
        ]
    # then
    assert [(one.status_code, one.json()["code"]) for one in answers] == [
        (404, "child-not-found")
    ] * 3


async def test_an_altered_receipt_is_refused(side: QuerySide):
    await erased_lena(side)
    header, payload, signature = (await side.get(RECEIPT, ADMIN)).json()["receipt"].split(".")
    with pytest.raises(StatementRefused):
        open_receipt(side.proof_keys, f"{header}.{payload[:-4]}AAAA.{signature}")


EVERY_CHILD = [
    "events",
    "who acted",
    "keys of requests",
    "tombstone",
    "audit trail",
    "copies that end by themselves",
    "copies that somebody took",
]
PRINTS, LABELS = "prints of earlier releases", "labels of earlier releases"


@pytest.mark.parametrize(
    ("older", "beside"),
    [
        (None, [PRINTS, LABELS]),
        (frozenset[OlderContent](), []),
        ({OlderContent.LABELS}, [LABELS]),
        ({OlderContent.PRINTS}, [PRINTS]),
    ],
)
async def test_what_remains_of_earlier_releases_is_told_of_children_who_have_it_or_may_have(
    side: QuerySide, older: frozenset[OlderContent] | None, beside: list[str]
):
    await erased_lena(side, *ErasureStep)
    (listed,) = await side.erased.find(["lena"])
    await side.erased.add(replace(listed, older=None if older is None else frozenset(older)))
    answer = (await side.get(RECEIPT, ADMIN)).json()
    assert [one["what"] for one in answer["remains"]] == EVERY_CHILD + beside


def test_docs_and_receipt_name_the_same():
    page = (Path(__file__).parents[3] / "docs/erasure.md").read_text()
    for what in (*REMAINS, *(what for what, _ in OLDER_REMAINS.values())):
        assert f"| {what} |" in page
