from datetime import timedelta

import pytest

from query_service.queries.get_child_analytics import GetChildAnalytics
from query_service.queries.get_child_profile import GetChildProfile
from query_service.queries.visible_children import ChildNotFound
from shared.read_models.documents import ChildStatus
from tests.support.query_side import ADMIN, QuerySide, device, parent
from tests.support.read_model_builders import NOON


async def test_a_profile_shows_the_child_with_its_personal_values_open(side: QuerySide):
    shown = {
        "name": "Lena Weiss",
        "device_id": "bear-7",
        "preferences": {"colour": "blue"},
        "learning_style": "visual",
        "interests": ["dinosaurs"],
        "version": 12,
        "conversation_count": 3,
        "learning_metrics": {"counting": 2},
        "violation_categories": {"bullying": 1},
    }
    await side.child("lena", udid="teddy-000042", last_interaction_at=NOON, **shown)
    profile = await side.ask(GetChildProfile("lena"))
    assert {name: profile[name] for name in shown} == shown
    assert profile["child_id"] == "lena"
    assert profile["last_interaction_at"] == "2026-11-23T12:00:00.000Z"


async def test_a_profile_shows_the_end_of_the_udid_nothing_internal_and_null_for_what_is_not_given(
    side: QuerySide,
):
    await side.child("lena", udid="teddy-000042")
    profile = await side.ask(GetChildProfile("lena"))
    assert profile["udid"] == "****0042"
    assert not {"_id", "name_tokens", "penalty_points"} & profile.keys()
    assert (profile["device_id"], profile["preferences"]) == (None, None)


async def test_a_deactivated_child_is_still_shown(side: QuerySide):
    await side.child("lena", status="deactivated")
    profile = await side.ask(GetChildProfile("lena"))
    assert profile["status"] == "deactivated"


async def test_an_erased_child_is_not_found(side: QuerySide):
    await side.child("lena", status="erased", name=None, udid=None)
    with pytest.raises(ChildNotFound):
        await side.ask(GetChildProfile("lena"))


async def test_a_child_whose_key_is_destroyed_is_not_found(side: QuerySide):
    await side.child("lena")
    await side.key_store.destroy("lena")
    # when the change notice of the erasure arrives
    side.notify("lena")
    with pytest.raises(ChildNotFound):
        await side.ask(GetChildProfile("lena"))


async def test_a_value_moved_from_another_child_is_not_opened(side: QuerySide):
    other = await side.child("mia", name="Mia")
    lena = await side.child("lena")
    lena["name"] = other["name"]
    profile = await side.ask(GetChildProfile("lena"))
    assert (profile["name"], profile["unreadable"]) == (None, ["name"])


async def test_a_bear_sees_its_own_child_and_no_other(side: QuerySide):
    # given
    await side.child("lena", device_id="bear-7")
    await side.child("mia", device_id="bear-8")
    await side.child("tom")
    # when
    own = await side.ask(GetChildProfile("lena"), device("bear-7"))
    # then
    assert own["child_id"] == "lena"
    for other in ("mia", "tom"):
        with pytest.raises(ChildNotFound):
            await side.ask(GetChildProfile(other), device("bear-7"))


async def test_a_bear_given_away_no_longer_sees_the_child(side: QuerySide):
    # given an answer that is cached for the bear
    before = await side.child("lena", device_id="bear-7")
    await side.ask(GetChildProfile("lena"), device("bear-7"))
    # when the child gets another bear
    await side.child("lena", device_id="bear-9", version=before["version"] + 1)
    side.notify("lena")
    with pytest.raises(ChildNotFound):
        await side.ask(GetChildProfile("lena"), device("bear-7"))


@pytest.mark.parametrize("status", [ChildStatus.DEACTIVATED, ChildStatus.ERASED])
async def test_a_bear_no_longer_sees_the_child_once_it_is(side: QuerySide, status: ChildStatus):
    # given an answer that is cached for the bear
    before = await side.child("lena", device_id="bear-7")
    for query in (GetChildProfile("lena"), GetChildAnalytics("lena")):
        await side.ask(query, device("bear-7"))
    # when
    await side.child("lena", device_id="bear-7", status=status, version=before["version"] + 1)
    side.notify("lena")
    # then
    for query in (GetChildProfile("lena"), GetChildAnalytics("lena")):
        with pytest.raises(ChildNotFound):
            await side.ask(query, device("bear-7"))


async def test_a_change_is_seen_at_once_when_its_notice_arrives(side: QuerySide):
    await side.child("lena", age=7)
    await side.ask(GetChildProfile("lena"))
    side.change("lena", age=8, updated_at=NOON + timedelta(days=1))
    assert (await side.ask(GetChildProfile("lena")))["age"] == 8


async def test_two_with_the_same_name_but_other_roles_share_no_answer(side: QuerySide):
    # given an answer cached for an admin
    await side.child("lena", parent_id="weiss")
    await side.ask(GetChildProfile("lena"), ADMIN)
    # when / then somebody else's parent with the admin's subject asks
    with pytest.raises(ChildNotFound):
        await side.ask(GetChildProfile("lena"), parent("x")._replace(subject=ADMIN.subject))
