"""What `make check` says of the shape of the code and of its coverage."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from coverage.exceptions import NoDataError

from deploy.checks import coverage_floors
from deploy.checks.coverage_floors import GROUPS, Lines, main, shares
from deploy.checks.shape import Source, circle, findings, imports, long_functions


def test_a_function_of_41_lines_is_found_and_one_of_40_is_not():
    def of(lines: int) -> str:
        return "def f():\n" + "    x = 1\n" * (lines - 1)

    assert list(long_functions(of(40))) == []
    assert list(long_functions(of(41))) == [(1, "f", 41)]


def test_a_file_of_251_lines_is_found_unless_it_is_a_test():
    text = "x = 1\n" * 251

    found = list(findings([Source("shared/long.py", text), Source("tests/long.py", text)]))

    assert found == ["shared/long.py has 251 lines, over 250"]


def test_modules_that_import_each_other_are_found_wherever_they_do_it():
    files = [
        Source("shared/a.py", "from shared.b import thing\n"),
        Source("shared/b.py", "def f():\n    import shared.c\n"),
        Source("shared/c.py", "from shared import a\n"),
        Source("shared/d.py", "import json\n"),
    ]

    (found,) = findings(files)

    assert found.startswith("import cycle: shared.")


def test_what_is_imported_is_the_module_that_is_named_or_has_the_name():
    file = Source("shared/d.py", "import shared.a\nfrom shared import b\nfrom shared.c import x\n")

    assert imports(file, ["shared", "shared.a", "shared.b", "shared.c", "shared.d"]) == {
        "shared.a",
        "shared.b",
        "shared.c",
    }
    assert circle({"shared.d": {"shared.a"}, "shared.a": set()}) == []


ROOT = Path(__file__).parents[3]
PLACES = [place for places in GROUPS.values() for place in places]
WHOLE = {place + "a.py" if place.endswith("/") else place: (100, 96) for place in PLACES}


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, 0),
        ({"command_service/child/a.py": (100, 95)}, 0),
        ({"command_service/child/a.py": (1_000, 949)}, 1),
        ({"query_service/read_store/a.py": (10_000, 9_000)}, 1),
        ({"deploy/cli.py": (1_000, 0)}, 0),
    ],
)
def test_a_group_below_the_floor_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changed: Mapping[str, Lines],
    code: int,
):
    monkeypatch.setattr(coverage_floors, "counted", lambda: {**WHOLE, **changed})

    assert main() == code
    assert ("below 95.0 %" in capsys.readouterr().out) == (code == 1)


def test_a_group_that_was_not_measured_is_below_the_floor():
    assert shares({"command_service/child/a.py": (10, 10)})["stores"] == 0.0


def test_without_a_measurement_there_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def nothing() -> Mapping[str, Lines]:
        raise NoDataError("none")

    monkeypatch.setattr(coverage_floors, "counted", nothing)

    assert main() == 2
    assert capsys.readouterr().err == "no coverage data; run `make test`\n"


@pytest.mark.parametrize("place", PLACES)
def test_every_place_is_there(place: str):
    assert (ROOT / place).exists()
