"""What the commands of a replay refuse, tell of their progress, and show."""

import sys
from datetime import UTC, datetime

import click
import orjson
import pytest

from projection_worker.replay.__main__ import replay
from projection_worker.replay.commands.console import LINE_SECONDS, Amount, Lines, counting
from projection_worker.replay.commands.events import EventType, require_order
from projection_worker.replay.documents import CLOSED, DESTROYED, MASKED, Personals
from projection_worker.replay.history_display import in_words
from shared.command_line import run_command
from shared.event_store.envelope import event_id
from shared.keyring.keyring import ChildCipher, field_place, new_data_key


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("rebuild --model children,toys", "'toys' is not a read model"),
        ("rebuild --resume --source store", "--resume continues with the original options"),
        ("rebuild --source kafka --model safety", "--source kafka builds every model"),
        ("rebuild --rate 0", "'--rate'"),
        ("rebuild --rate nan", "'nan' is not a finite number"),
        ("rebuild --workers none", "'--workers'"),
        ("verify --sample 3 --child x", "--sample and --child exclude each other"),
        ("verify --seed 3", "--seed chooses a sample"),
        ("verify --sample 0", "'--sample'"),
        ("verify --wait -1", "'--wait'"),
        ("verify --wait nan", "'nan' is not a finite number"),
        ("verify --child", "requires an argument"),
        ("show", "'--child'"),
        ("show --child x --format xml", "'xml' is not one of"),
        ("show --child x --until tomorrow", "neither a version nor a time"),
        ("show --child x --until \u00b2", "neither a version nor a time"),
        ("show --child x --until 0001-01-01T00:00+01:00", "neither a version nor a time"),
        ("show --child x --until 2026-11-23T12:00", "neither a version nor a time"),
        ("events --type MessageRecordet", "did you mean MessageRecorded?"),
        ("events --from 12:00", "'12:00' is no time"),
        ("events --from 2026-11-24 --to 2026-11-23", "--from must be before --to"),
        ("events --limit 0", "'--limit'"),
        ("republish", "republish either --all or"),
        ("republish --dry-run", "republish either --all or"),
        ("republish --all --child x", "republish either --all or"),
        ("republish --all --from 2026-11-23", "republish either --all or"),
        ("republish --from 2026-11-24 --to 2026-11-23", "--from must be before --to"),
        ("republish --all --rate inf", "'inf' is not a finite number"),
        ("republish --all --type MessageRecorded", "--type"),
        ("rewind", "No such command 'rewind'"),
    ],
)
def test_what_cannot_be_meant_is_one_line_and_exit_code_2(
    arguments: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "argv", ["replay", *arguments.split()])

    with pytest.raises(SystemExit) as ended:
        run_command(replay, "teddy")

    printed = capsys.readouterr()
    assert ended.value.code == 2
    assert said in printed.err
    assert len(printed.err.splitlines()) == 1
    assert printed.out == ""


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("projection_worker.replay.commands.console.time.monotonic", made)
    return made


def test_a_line_says_how_many_how_fast_and_how_long(
    clock: Clock, capsys: pytest.CaptureFixture[str]
):
    lines = Lines()
    lines.say("build", 1_000, 150_212)

    clock.now += LINE_SECONDS
    lines.say("build", 61_000, 150_212)

    said = capsys.readouterr()
    assert said.err == "build  61,000/150,212 events, 12,000/s, 7 s left\n"
    assert said.out == ""


def test_what_is_quick_has_no_line(clock: Clock, capsys: pytest.CaptureFixture[str]):
    lines = Lines()
    lines.say("build", 0, 10)

    clock.now += LINE_SECONDS - 1
    lines.say("build", 10, 10)

    assert capsys.readouterr().err == ""


def test_each_phase_is_timed_from_its_own_beginning(
    clock: Clock, capsys: pytest.CaptureFixture[str]
):
    lines = Lines()
    lines.say("build", 0, 900)
    clock.now += 100
    lines.say("verify", 0, 900)

    clock.now += 2 * LINE_SECONDS
    lines.say("verify", 100, 900)

    assert capsys.readouterr().err == "verify 100/900 events, 10/s, 80 s left\n"


async def test_where_nobody_knows_how_many_there_are_no_time_is_promised(
    clock: Clock, capsys: pytest.CaptureFixture[str]
):
    with counting("read", None) as more:
        await more(20)
        clock.now += LINE_SECONDS
        await more(80)

    assert capsys.readouterr().err == "read   100 events, 20/s, time left unknown\n"


NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "-1", "much"])
def test_what_is_no_amount_is_refused(text: str):
    with pytest.raises(click.BadParameter):
        Amount(0).convert(text, None, None)


def test_a_type_that_is_nearly_right_is_answered_with_the_right_one_another_with_all():
    with pytest.raises(click.BadParameter, match=r"did you mean ChildRegistered\?"):
        EventType().convert("ChildRegisterd", None, None)
    with pytest.raises(click.BadParameter, match=r"there are AlertPolicyConfigured, .*Resolved"):
        EventType().convert("xyzzy", None, None)


def test_a_time_that_lies_behind_another_leaves_nothing_between():
    require_order(NOON, None)
    require_order(None, NOON)
    with pytest.raises(click.UsageError):
        require_order(NOON, NOON)


CHILD = "0c9b7f6e-1111-4a7b-8a55-3f1f0a9d0001"


@pytest.fixture
def cipher() -> ChildCipher:
    return ChildCipher(CHILD, new_data_key())


def stored(cipher: ChildCipher, name: str = "name", of: str | None = None) -> str:
    """As a read model holds a child's name, or what is `of` a violation."""
    place = field_place(event_id(CHILD, 1), name, of)
    return f"1.{name}.{cipher.seal(orjson.dumps('Mia'), place)}"


def test_personal_values_stay_sealed_wherever_they_are(cipher: ChildCipher):
    document = {
        "age": 6,
        "name": stored(cipher),
        "entries": [{"details": stored(cipher, "details")}],
    }

    shown = Personals(CHILD, cipher, reveal=False).shown(document)

    assert shown == {"age": 6, "name": MASKED, "entries": [{"details": MASKED}]}


def test_personal_values_are_opened_for_who_asks(cipher: ChildCipher):
    document = {"name": stored(cipher), "violations": [_violation("v-1", cipher)]}

    shown = Personals(CHILD, cipher, reveal=True).shown(document)

    assert shown == {"name": "Mia", "violations": [{"id": "v-1", "details": "Mia"}]}


def test_a_value_that_was_moved_or_whose_key_is_gone_does_not_open(cipher: ChildCipher):
    other = _violation("v-1", cipher)["details"]
    document = {"udid": stored(cipher), "violations": [{"id": "v-2", "details": other}]}

    shown = Personals(CHILD, cipher, reveal=True).shown(document)

    assert shown == {"udid": CLOSED, "violations": [{"id": "v-2", "details": CLOSED}]}
    assert Personals(CHILD, None, reveal=True).shown({"name": stored(cipher)}) == {
        "name": DESTROYED
    }


def test_text_that_only_looks_like_a_version_is_no_personal_value(cipher: ChildCipher):
    ordinary = {"interests": ["1.2.3", "2026-11-23", "1.name.short"], "topic": stored(cipher)}

    assert Personals(CHILD, cipher, reveal=False).shown(ordinary) == ordinary


def _violation(violation_id: str, cipher: ChildCipher) -> dict[str, str]:
    return {"id": violation_id, "details": stored(cipher, "details", of=violation_id)}


def test_an_event_is_reported_by_what_it_changed():
    assert in_words({"age": 9, "name": MASKED, "cleared": [], "topics": ["sea"]}) == (
        'age 9, name (sealed), topics ["sea"]'
    )
