"""What is refused while the command line is read: there is no store, broker or setting here."""

import sys

import pytest

from projection_worker.replay.__main__ import replay
from shared.command_line import run_command


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
) -> None:
    monkeypatch.setattr(sys, "argv", ["replay", *arguments.split()])

    with pytest.raises(SystemExit) as ended:
        run_command(replay, "teddy")

    printed = capsys.readouterr()
    assert ended.value.code == 2
    assert said in printed.err
    assert len(printed.err.splitlines()) == 1
    assert printed.out == ""
