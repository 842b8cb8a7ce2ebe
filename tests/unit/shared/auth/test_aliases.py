"""What is kept for ever names a bear, but not by what belongs to its child."""

from shared.auth.access import Principal, Pseudonyms, Role, older_alias
from tests.support.child_facts import REGISTER
from tests.support.command_side import ADMIN, BEAR, KEYS, MOTHER, CommandSide


def _name(pseudonyms: Pseudonyms, device_id: str) -> str:
    return pseudonyms.given(Principal(device_id, Role.DEVICE)).on_record


def test_a_bear_has_one_pseudonym_in_a_process_and_another_in_every_other():
    here, there = Pseudonyms(), Pseudonyms()
    assert _name(here, "bear-1") == _name(here, "bear-1")
    assert len({_name(here, "bear-1"), _name(here, "bear-2"), _name(there, "bear-1")}) == 3


def test_nobody_else_is_renamed_and_a_bear_without_a_name_is_not_told_by_its_id():
    for role in Role:
        caller = Pseudonyms().given(Principal("subject-1", role))
        assert caller.subject == "subject-1"
        assert (caller.on_record == "subject-1") is (role is not Role.DEVICE)
    assert Principal("device-1", Role.DEVICE).on_record == "bear"


def test_the_aliases_of_earlier_releases_are_still_made_and_told_from_pseudonyms():
    # as of a release that kept them
    assert older_alias(b"i" * 32, "bear-device-1") == "bear-3bdd6408a8a9dffb59c8628a"
    assert len(older_alias(b"i" * 32, "bear-1")) > len(_name(Pseudonyms(), "bear-1"))


async def test_commits_and_audit_records_name_a_bear_by_one_pseudonym():
    # given
    side = CommandSide()
    async with side.client(MOTHER) as mother:
        child_id = await mother.register()
    # when: it acts, and tries another child
    async with side.client(BEAR) as bear:
        answer = await bear.send("POST", f"/children/{child_id}/conversations", {})
        foreign = await bear.send("POST", f"/children/{REGISTER.child_id}/conversations", {})
    # then
    assert (answer.status_code, foreign.status_code) == (201, 404)
    mother_s, bear_s = [commit.actor.subject async for commit in side.database.events.scan()]
    assert mother_s == MOTHER.subject
    assert bear_s not in (BEAR.subject, older_alias(KEYS.index_key, BEAR.subject))
    assert [entry.subject for entry in side.audit.entries] == [MOTHER.subject, bear_s, bear_s]


async def test_whose_child_it_is_is_still_told_by_the_bears_own_id():
    side = CommandSide()
    await side.do(REGISTER, ADMIN)
    other = Principal(older_alias(KEYS.index_key, REGISTER.device_id or ""), Role.DEVICE)
    async with side.client(other) as stranger:
        answer = await stranger.send("POST", f"/children/{REGISTER.child_id}/conversations", {})
    assert answer.status_code == 404
