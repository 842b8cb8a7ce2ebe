from dataclasses import replace
from typing import get_args

from command_service.child.commands import ChildCommand
from deploy.load.generator import Generator
from deploy.load.model import ModelChild, Tally, Wish, settle
from deploy.load.sender import share_out
from tests.support.command_side import CommandSide
from tests.support.routes import guarded, operation_at

LEFT_OUT = {"GiveConsent", "WithdrawConsent"}
"""Commands that no load needs: a registration gives every consent."""


def life_of(seed: int, number: int, length: int = 80) -> list[Wish]:
    """The wishes for one child when every answer is as expected."""
    generator, tally = Generator(seed, "run"), Tally()
    child, chance = generator.child(number)
    wishes = [generator.registration(child, chance)]
    answer(child, wishes[0], tally)
    for count in range(length):
        wish = generator.next(child, chance, count)
        answer(child, wish, tally)
        wishes.append(wish)
    assert tally.surprises == []
    return wishes


def answer(child: ModelChild, wish: Wish, tally: Tally) -> None:
    body = {
        "child_id": f"child-{child.number}",
        "version": 1,
        "events": ["Something"],
        "conversation_id": "conversation",
        "violation_id": f"violation-{wish.key.replace('/', '-')}",
        "ignored": list(wish.ignored),
    }
    refused = {"code": wish.code}
    settle(child, wish, wish.expected, refused if wish.code else body, tally)


def test_the_same_seed_wishes_the_same() -> None:
    assert life_of(7, 3) == life_of(7, 3)


def test_another_seed_or_child_wishes_something_else() -> None:
    assert life_of(7, 3) != life_of(8, 3)
    assert life_of(7, 3) != life_of(7, 4)


def test_over_many_children_every_kind_of_wish_comes_up() -> None:
    wishes = [wish for number in range(60) for wish in life_of(7, number)]

    endings = {wish.path.rpartition("/")[2] for wish in wishes}
    assert endings >= {
        "children",
        "profile",
        "safety-violations",
        "resolution",
        "alert-policy",
        "conversations",
        "messages",
        "end",
        "deactivation",
        "reactivation",
        "personal-data",
    }
    assert {wish.expected for wish in wishes} == {200, 201, 404, 410, 422}
    assert len({wish.key for wish in wishes}) < len(wishes), "some keys are repeated"


def test_every_command_is_wished_for_or_left_out_on_purpose() -> None:
    wishes = [wish for number in range(60) for wish in life_of(7, number)]
    routes = guarded(CommandSide().app)
    wished = {operation_at(routes, wish.method, wish.path) for wish in wishes}
    forgotten = {command.__name__ for command in get_args(ChildCommand)} - wished
    assert forgotten == LEFT_OUT, "wish for it in deploy/load/generator.py, or name it in LEFT_OUT"


def test_what_does_not_exist_is_named_and_the_answer_known() -> None:
    wishes = [wish for number in range(60) for wish in life_of(7, number)]

    codes = {wish.code for wish in wishes}
    assert {"conversation-not-found", "violation-not-found"} <= codes
    unlinked = [wish for wish in wishes if wish.ignored]
    assert {(wish.expected, wish.ignored) for wish in unlinked} == {(201, ("conversation_id",))}


def test_a_link_that_is_left_out_without_a_word_is_a_surprise() -> None:
    generator, tally = Generator(7, "run"), Tally()
    child, chance = generator.child(0)
    wish = replace(generator.registration(child, chance), ignored=("conversation_id",))

    settle(child, wish, 201, {"child_id": "mia", "events": ["ChildRegistered"]}, tally)

    assert tally.unexpected == 1


def test_an_answer_that_was_not_expected_is_kept() -> None:
    generator, tally = Generator(7, "run"), Tally()
    child, chance = generator.child(0)

    settle(child, generator.registration(child, chance), 503, {"code": "x"}, tally)

    assert len(tally.surprises) == 1
    assert "expected 201" in tally.surprises[0]
    assert child.status == "new"


def test_commands_are_shared_out_to_the_last() -> None:
    shares = list(share_out(7, 100))

    assert sum(commands for _, commands in shares) == 100
    assert max(shares, key=lambda s: s[1])[1] - min(shares, key=lambda s: s[1])[1] == 1


def test_a_repeated_key_must_get_its_first_answer_again() -> None:
    generator, tally = Generator(7, "run"), Tally()
    child, chance = generator.child(0)
    wish = generator.registration(child, chance)
    first = {"child_id": "mia", "version": 1, "events": ["ChildRegistered"]}
    settle(child, wish, 201, first, tally)

    settle(child, wish, 201, dict(first), tally)
    settle(child, wish, 201, {**first, "version": 2}, tally)

    assert (tally.accepted, tally.repeated, tally.unexpected) == (1, 1, 1)


def test_surprises_are_all_counted_though_only_the_first_are_kept() -> None:
    tally = Tally()

    for number in range(50):
        tally.surprise(str(number))

    assert tally.unexpected == 50
    assert len(tally.surprises) == 20
