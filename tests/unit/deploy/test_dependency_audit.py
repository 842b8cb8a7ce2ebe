"""What an audit of the dependencies says, and when it stops CI."""

import pytest

from deploy.checks import dependency_audit
from deploy.checks.dependency_audit import main, report_of

HOLE = {"id": "PYSEC-1", "fix_versions": ["2.1"], "aliases": [], "description": ""}
SOUND = {"name": "rich", "version": "15.0", "vulns": []}
UNSOUND = {"name": "six", "version": "2.0", "vulns": [HOLE]}
UNKNOWN = {"name": "yarl", "skip_reason": "not found"}


def test_findings_name_the_pin_and_what_fixes_it():
    findings, unknown = report_of({"dependencies": [SOUND, UNSOUND, UNKNOWN]})

    assert findings == ["six 2.0: PYSEC-1, fixed in 2.1"]
    assert unknown == ["yarl"]


@pytest.mark.parametrize(
    ("answer", "exit_code", "said"),
    [
        (None, 0, "did not answer"),
        ({"dependencies": [SOUND, UNKNOWN]}, 0, "no answer about 1 of 2"),
        ({"dependencies": [SOUND]}, 0, "1 dependencies, none vulnerable"),
        ({"dependencies": [UNKNOWN, UNSOUND]}, 1, "PYSEC-1"),
    ],
)
def test_only_a_finding_stops_ci(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: object,
    exit_code: int,
    said: str,
):
    monkeypatch.setattr(dependency_audit, "audited", lambda _: answer)

    assert main(["requirements.txt"]) == exit_code
    assert said in capsys.readouterr().out
