"""Every link and path in the documents exists, and decision records have one form."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECORDS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *RECORDS])
HEAD = re.compile(
    r"# (\d{3}) · .+\n\n(> .+\n\n)?\*\*Status:\*\* accepted\. \*\*Date:\*\* 20\d\d-\d\d-\d\d"
)
SECTIONS = ("Context", "Decision", "Evidence", "Consequences", "Alternatives considered")
LINK = re.compile(r"\]\(([^)\s]+)\)")
FOLDERS = "command_service|projection_worker|query_service|shared|deploy|examples|tests|docs"
PLACE = re.compile(rf"`((?:{FOLDERS})/[\w/.-]+)`")
NOT_YET = "tests/golden/BearNicknamed.v1.json"
"""The guide's example names a file that it makes."""


def _anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", title.lower()) for title in titles)
    return {title.strip().replace(" ", "-") for title in plain}


def _broken_links(page: Path) -> Iterator[str]:
    for target in LINK.findall(page.read_text()):
        name, _, anchor = target.partition("#")
        if name.startswith(("http:", "https:")):
            continue
        there = page.parent / name if name else page
        if not there.exists() or (anchor and anchor not in _anchors(there)):
            yield target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    assert list(_broken_links(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_a_document_names_exists(page: Path) -> None:
    named = set(PLACE.findall(page.read_text())) - {NOT_YET}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_decision_records_are_numbered_without_gaps() -> None:
    numbers = [int(record.name[:3]) for record in RECORDS]
    assert numbers == list(range(1, len(RECORDS) + 1))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_a_decision_record_has_number_status_date_and_the_usual_sections(record: Path) -> None:
    text = record.read_text()
    head = HEAD.match(text)
    assert head is not None
    assert head[1] == record.name[:3]
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert [*sections, SECTIONS[-1]][: len(SECTIONS)] == list(SECTIONS)
