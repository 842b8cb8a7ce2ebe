"""Evidence of a violation: checked offline, also after erasure; whatever was altered is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.attack.proofs import edited_actor, edited_event, of_another_violation, view_removed
from tests.integration.audit.conftest import World
from tests.support.consents import BORN

Bundle = dict[str, Any]


@pytest.fixture(autouse=True)
def _in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child's history is longer than a page."""
    monkeypatch.setattr("shared.event_store.port.PAGE", 2)


async def test_evidence_is_checked_offline_without_settings_and_names_who_viewed(
    world: World, evidence: Path
):
    # given: the databases are gone, as for somebody elsewhere
    for name in ("commits", "audit_blocks", "audit_heads"):
        with world.collection(name) as collection:
            collection.drop()
    # when
    keys = str(world.folder / "proof-keys.json")
    said = await world.teddy_process(
        "evidence", "verify", str(evidence), "--keys", keys, offline=True
    )
    # then
    assert said.code == 0, said.out + said.err
    for who in ("officer-1 (parent)  GetChildProfile", "officer-2", "ReportSafetyViolation"):
        assert who in said.out
    assert "(operator)  ExportEvidence" in said.out
    assert "no tampering found" in said.out


async def test_evidence_holds_nothing_personal_in_plain_text(evidence: Path):
    text = evidence.read_text()
    assert "TEDDY-0000-0001" not in text
    assert "SafetyViolationReported" in text
    assert "ChildProfileUpdated" not in text  # nor what else happened to the child


def _edit_view(bundle: Bundle) -> None:
    lines = bundle["audit"][0]["blocks"][-1]["lines"]
    lines[0] = lines[0].replace("officer-2", "officer-3")


@pytest.mark.parametrize(
    ("alter", "named"),
    [
        (edited_event, f"commit at version {BORN + 2}: edited"),
        (edited_actor, f"commit at version {BORN + 2}: edited"),
        (_edit_view, "record 7: edited"),
        (view_removed, "file: altered after it was signed"),
        (of_another_violation, "violation another: no event of the file is about it"),
        (
            lambda bundle: bundle["audit"][0].update(head=bundle["signature"]),
            "signed head: not a statement of the kind teddy-audit-head",
        ),
    ],
)
async def test_altered_evidence_says_what_differs(
    world: World, evidence: Path, alter: Callable[[Bundle], None], named: str
):
    # given
    bundle = orjson.loads(evidence.read_bytes())
    alter(bundle)
    evidence.write_bytes(orjson.dumps(bundle))
    # when
    said = await world.teddy("evidence", "verify", str(evidence), offline=True)
    # then
    assert said.code == 1, said.err
    assert named in said.out


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff\x00", b'{"keys": {"keys": [1]}}'])
async def test_a_file_that_is_no_evidence_is_one_line_and_exit_2(
    world: World, tmp_path: Path, content: bytes
):
    file = tmp_path / "wrong.json"
    file.write_bytes(content)
    said = await world.teddy("evidence", "verify", str(file), offline=True)
    assert (said.code, said.out) == (2, "")
    assert said.err.count("\n") == 1


async def test_evidence_of_a_violation_that_is_not_there_is_refused(world: World, tmp_path: Path):
    out = tmp_path / "none.json"
    said = await world.export_evidence(out, "other")
    assert (said.code, out.exists()) == (2, False)
    assert "no violation other" in said.err


async def test_an_existing_file_is_never_overwritten(world: World, evidence: Path):
    said = await world.export_evidence(evidence)
    assert said.code == 2
    assert "exists already" in said.err
