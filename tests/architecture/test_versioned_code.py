"""Code that made what is stored changes only with the version that is stored beside it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import versioned_code
from tests.support.versioned_code import DIGESTS, complaints, digests

RULES = """
from product.numbers import HALF, UNUSED

def halved(value: int) -> float:
    \"\"\"How it is halved.\"\"\"
    return value * HALF  # exactly

def other():
    return UNUSED
"""


def test_the_code_of_every_version_is_the_one_that_is_noted() -> None:
    wrong = complaints(json.loads(DIGESTS.read_text()))

    assert not wrong, "\n".join(wrong)


@pytest.fixture
def product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project of two modules."""
    folder = tmp_path / "product"
    folder.mkdir()
    (folder / "rules.py").write_text(RULES)
    (folder / "numbers.py").write_text("HALF = 0.5\nUNUSED = 1\n")
    monkeypatch.setattr(versioned_code, "ROOT", tmp_path)
    versioned_code.source.cache_clear()
    yield folder
    versioned_code.source.cache_clear()


def changed_by(product: Path, file: str, old: str, new: str) -> set[str]:
    """The files whose digest is another one after the change."""
    before = digests(("product.rules:halved",))
    text = (product / file).read_text()
    assert old in text
    (product / file).write_text(text.replace(old, new))
    versioned_code.source.cache_clear()
    after = digests(("product.rules:halved",))
    return {name for name in before | after if before.get(name) != after.get(name)}


def test_what_the_code_reaches_in_another_file_is_noted_too(product: Path) -> None:
    assert changed_by(product, "numbers.py", "0.5", "0.4") == {"product/numbers.py"}
    assert changed_by(product, "rules.py", "value * HALF", "HALF") == {"product/rules.py"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# exactly", "# about"),
        ("How it is halved.", "How."),
        ("(value: int) -> float:", "(value):"),
        ("return UNUSED", "return 2"),
        ("value * HALF", "(value *\n        HALF)"),
    ],
)
def test_what_changes_no_result_changes_no_digest(product: Path, old: str, new: str) -> None:
    assert changed_by(product, "rules.py", old, new) == set()


@pytest.mark.usefixtures("product")
def test_a_root_that_moved_away_is_missed() -> None:
    with pytest.raises(LookupError, match=r"no doubled in product\.rules"):
        digests(("product.rules:doubled",))
