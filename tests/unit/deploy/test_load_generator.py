from dataclasses import replace
from pathlib import Path
from typing import get_args

from command_service.child.commands import ChildCommand
from deploy.load.generator import Generator
from deploy.load.kinds import BESIDE_COMMANDS, KIND_OF
from deploy.load.model import ModelChild, Request, Tally, settle
from deploy.load.sender import Pace, Sender, share_out
from tests.support.command_side import CommandSide
from tests.support.routes import guarded, operation_at

PAGE = Path(__file__).parents[3] / "docs" / "performance.md"


def life_of(seed: int, number: int, length: int = 80) -> list[Request]:
    """The requests for one child when every answer is as expected."""
    generator, tally = Generator(seed, "run"), Tally()
    child, chance = generator.child(number)
    requests = [generator.registration(child, chance)]
    answer(child, requests[0], tally)
    for count in range(length):
        request = generator.next(child, chance, count)
        answer(child, request, tally)
        requests.append(request)
    assert tally.surprises == []
    return requests


def answer(child: ModelChild, request: Request, tally: Tally) -> None:
    body = {
        "child_id": f"child-{child.number}",
        "version": 1,
        "events": ["Something"],
        "conversation_id": "conversation",
        "violation_id": f"violation-{request.key.replace('/', '-')}",
        "ignored": list(request.ignored),
    }
    refused = {"code": request.code}
    settle(child, request, request.expected, refused if request.code else body, tally)


def test_the_same_seed_sends_the_same() -> None:
    assert life_of(7, 3) == life_of(7, 3)


def test_another_seed_or_child_sends_something_else() -> None:
    assert life_of(7, 3) != life_of(8, 3)
    assert life_of(7, 3) != life_of(7, 4)


def test_over_many_children_every_kind_of_request_comes_up() -> None:
    requests = [request for number in range(60) for request in life_of(7, number)]

    endings = {request.path.rpartition("/")[2] for request in requests}
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
    assert {request.expected for request in requests} == {200, 201, 404, 410, 422}
    assert len({request.key for request in requests}) < len(requests), "some keys are repeated"


def test_every_command_is_sent() -> None:
    # given
    requests = [request for number in range(60) for request in life_of(7, number)]
    routes = guarded(CommandSide().app)
    # when
    sent = {operation_at(routes, request.method, request.path) for request in requests}
    # then
    assert sent == {command.__name__ for command in get_args(ChildCommand)}


async def test_the_api_answers_a_load_as_expected() -> None:
    side = CommandSide()
    async with side.bare_client() as http:
        sender = Sender(http, side.issuer, Generator(7, "run"), Pace(None), lambda _: None)
        await sender.run(30, 1_500, 1, lambda: None)
    assert sender.tally.surprises == []
    assert sender.tally.by_kind.keys() >= {"ParentalConsentGiven", "ParentalConsentWithdrawn"}


def test_the_page_lists_the_proportions() -> None:
    shares = {f"`{command}`": kind.share for command, kind in KIND_OF.items()}
    shares |= {name: kind.share for name, kind in BESIDE_COMMANDS.items()}
    page = PAGE.read_text()
    assert [row for row in (f"| {n} | {s:g} |" for n, s in shares.items()) if row not in page] == []


def test_what_does_not_exist_is_named_and_the_answer_known() -> None:
    requests = [request for number in range(60) for request in life_of(7, number)]

    codes = {request.code for request in requests}
    assert {"conversation-not-found", "violation-not-found"} <= codes
    unlinked = [request for request in requests if request.ignored]
    assert {(request.expected, request.ignored) for request in unlinked} == {
        (201, ("conversation_id",))
    }


def test_a_link_that_is_left_out_without_a_word_is_a_surprise() -> None:
    generator, tally = Generator(7, "run"), Tally()
    child, chance = generator.child(0)
    request = replace(generator.registration(child, chance), ignored=("conversation_id",))

    settle(child, request, 201, {"child_id": "mia", "events": ["ChildRegistered"]}, tally)

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
    request = generator.registration(child, chance)
    first = {"child_id": "mia", "version": 1, "events": ["ChildRegistered"]}
    settle(child, request, 201, first, tally)

    settle(child, request, 201, dict(first), tally)
    settle(child, request, 201, {**first, "version": 2}, tally)

    assert (tally.accepted, tally.repeated, tally.unexpected) == (1, 1, 1)


def test_surprises_are_all_counted_though_only_the_first_are_kept() -> None:
    tally = Tally()

    for number in range(50):
        tally.surprise(str(number))

    assert tally.unexpected == 50
    assert len(tally.surprises) == 20
