"""Rules of the project that no linter has."""

import re
import subprocess
import tomllib
from pathlib import Path

from pydantic_settings import BaseSettings

from shared import settings

ROOT = Path(__file__).parents[2]
REGISTRY_OR_HOME = re.compile(
    r"(--(extra-)?index-url|/simple/[a-z]|files\.python" + r"hosted|\"resolved\": \"http)"
    r"|/(home|root|Users)/[a-z]"
)


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines()]


def test_no_file_names_a_registry_or_a_home_folder() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked()
        if path.suffix not in (".png", ".svg") and path != Path(__file__)
        for number, line in enumerate(path.read_text(errors="ignore").splitlines(), 1)
        if REGISTRY_OR_HOME.search(line)
    ]

    assert found == []


def test_every_setting_is_described() -> None:
    groups = [
        group
        for group in vars(settings).values()
        if isinstance(group, type) and issubclass(group, BaseSettings)
    ]
    undescribed = {
        f"{group.__name__}.{name}"
        for group in groups
        for name, field in group.model_fields.items()
        if not field.description
    }

    assert len(groups) > 5
    assert undescribed == set()


def test_the_pinned_requirements_are_hashed() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        assert text.count("==") > 20
        assert "--hash=sha256:" in text
        assert "://" not in text


def test_the_top_level_holds_what_was_agreed() -> None:
    folders = {path.relative_to(ROOT).parts[0] for path in tracked() if path.parent != ROOT}

    assert folders == {
        ".ci",
        "bench",
        "command_service",
        "deploy",
        "docs",
        "examples",
        "projection_worker",
        "query_service",
        "shared",
        "tests",
    }


def test_every_folder_of_tests_is_run_by_make_test_or_has_a_command_of_its_own() -> None:
    run = {
        "tests/apache_kafka",
        "tests/browser",
        "tests/outage",
        "tests/schema",
    }  # each has its target
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    run |= set(settings["tool"]["pytest"]["ini_options"]["testpaths"])
    folders = {path.relative_to(ROOT).parts[:2] for path in (ROOT / "tests").rglob("test_*.py")}

    assert {"/".join(folder) for folder in folders} == run
