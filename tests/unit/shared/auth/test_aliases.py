"""What is kept for ever names a bear, but not by what belongs to its child."""

from shared.auth.aliases import Aliases
from shared.auth.principal import Principal, Role
from tests.support.child_facts import REGISTER
from tests.support.command_side import ADMIN, BEAR, KEYS, MOTHER, CommandSide

ALIASES = Aliases(KEYS.index_key)


def test_a_bear_always_has_the_same_alias_and_another_one_under_another_key():
    alias = ALIASES.of_device("bear-1")
    assert alias == ALIASES.of_device("bear-1")
    assert len({alias, ALIASES.of_device("bear-2"), Aliases(b"x" * 32).of_device("bear-1")}) == 3
    assert "bear-1" not in alias


def test_nobody_else_is_renamed():
    for role in Role:
        caller = ALIASES.with_alias(Principal("subject-1", role))
        assert caller.subject == "subject-1"
        assert (caller.on_record == "subject-1") is (role is not Role.DEVICE)


def test_a_bear_that_nobody_gave_an_alias_is_not_told_by_its_id():
    assert Principal("device-1", Role.DEVICE).on_record == "bear"


async def test_commits_and_audit_records_name_a_bear_by_its_alias():
    # given
    side = CommandSide()
    async with side.client(MOTHER) as mother:
        child_id = await mother.register()
    # when
    async with side.client(BEAR) as bear:
        answer = await bear.send("POST", f"/children/{child_id}/conversations", {})
    # then
    assert answer.status_code == 201
    actors = [commit.actor.subject async for commit in side.database.events.scan()]
    alias = ALIASES.of_device(BEAR.subject)
    assert actors == [MOTHER.subject, alias]
    assert [entry.subject for entry in side.audit.entries] == [MOTHER.subject, alias]


async def test_whose_child_it_is_is_still_told_by_the_bears_own_id():
    # given
    side = CommandSide()
    await side.do(REGISTER, ADMIN)
    other = Principal(ALIASES.of_device(REGISTER.device_id or ""), Role.DEVICE)
    # when
    async with side.client(other) as stranger:
        answer = await stranger.send("POST", f"/children/{REGISTER.child_id}/conversations", {})
    # then
    assert answer.status_code == 404
