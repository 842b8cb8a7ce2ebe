"""The locks are held against pyproject.toml and against what the locked packages ask for."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.checks.lock import (
    INSTALLER,
    LOCKS,
    ROOT,
    Lock,
    Needs,
    disagreements,
    form_problems,
    installed_needs,
    lacking,
    main,
    own_requirements,
    problems_of,
    read_lock,
    unneeded,
)

INDEX = "--" + "index-url"  # in two parts: no file of the project may name an index
HASH = "--hash=sha256:" + "a" * 64


def lock(*entries: str, name: str = "requirements.txt") -> Lock:
    return read_lock(name, "".join(f"{entry} \\\n    {HASH}\n    # via x\n" for entry in entries))


def needs(**lines: list[str]) -> Needs:
    return {canonicalize_name(n): [Requirement(r) for r in asked] for n, asked in lines.items()}


OWN = [Requirement("pytest-cov>=7")]
PYTEST_COV = needs(pytest_cov=["coverage[toml]>=7.10"])


def test_an_extra_that_a_locked_package_asks_for_is_to_stand_in_the_lock():
    without = lock("pytest-cov==7.1", "coverage==7.12")
    whole = lock("pytest-cov==7.1", "coverage[toml]==7.12")

    assert list(lacking(without, OWN, PYTEST_COV)) == [
        "requirements.txt: coverage lacks [toml], which pytest-cov requires"
    ]
    assert list(lacking(whole, OWN, PYTEST_COV)) == []


def test_what_a_locked_extra_asks_for_is_to_stand_in_the_lock():
    asked = needs(coverage=["tomli>=2; extra == 'toml' and python_version >= '3.14'"])

    assert list(lacking(lock("coverage==7.12"), [], asked)) == []
    assert list(lacking(lock("coverage[toml]==7.12"), [], asked)) == [
        "requirements.txt: lacks tomli, which coverage requires"
    ]


@pytest.mark.parametrize(
    "marker",
    [
        "python_version >= '3.14'",
        "python_full_version < '3.12'",
        "sys_platform == 'darwin' and platform_machine == 'x86_64'",
        "sys_platform == 'linux' and platform_machine == 'aarch64'",
    ],
)
def test_every_supported_python_and_machine_counts(marker: str):
    asked = needs(rich=[f"markdown-it-py>=4; {marker}"])
    own = [Requirement("rich")]

    assert list(lacking(lock("rich==15.0"), own, asked)) == [
        "requirements.txt: lacks markdown-it-py, which rich requires"
    ]
    only_there = lock("rich==15.0", f"markdown-it-py==4.1 ; {marker}")
    assert list(lacking(only_there, own, asked)) == []


def test_a_dependency_that_is_not_locked_or_locked_too_old_is_found():
    own = [Requirement("rich>=15"), Requirement("uvloop; sys_platform != 'win32'")]

    assert list(lacking(lock("rich==14.2"), own, {})) == [
        "requirements.txt: has rich 14.2, pyproject.toml requires rich>=15",
        "requirements.txt: lacks uvloop, which pyproject.toml requires",
    ]


def test_what_nobody_asks_for_any_more_is_found():
    locked = lock("pytest-cov==7.1", "coverage[toml]==7.12", "noida-db==0.2.3")

    assert list(unneeded(locked, OWN, PYTEST_COV)) == [
        "requirements.txt: nothing requires noida-db"
    ]


def test_two_versions_of_a_package_are_found_unless_no_machine_has_both():
    services = lock("rich==15.0", "deprecated==1.3 ; python_full_version < '3.12'")
    same = lock("rich==15.0", "deprecated==3.0 ; python_full_version >= '3.12'", name="dev")
    other = lock("rich==15.1", name="dev")

    assert list(disagreements([services, same])) == []
    assert list(disagreements([services, other])) == [
        "rich is 15.0 in requirements.txt, 15.1 in dev"
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rich==15.0\n", "rich has no hash"),
        ("rich==15.0 --hash=sha256:abc\n", "rich has no hash"),
        (f"rich>=15.0 {HASH}\n", "rich is not pinned to one version"),
        (f"rich {HASH}\n", "rich is not pinned to one version"),
        (f"rich==15.* {HASH}\n", "rich is not pinned to one version"),
        (f"{INDEX} here\nrich==15.0 {HASH}\n", "names a package index"),
        (f"rich==15.0 {HASH}\n-i here\n", "names a package index"),
        (f"rich==15.0 {HASH} # from https://files\n", "names a package index"),
        (f"--find-links wheels\nrich==15.0 {HASH}\n", "names a package index"),
    ],
)
def test_pins_without_hash_and_addresses_are_found(text: str, problem: str):
    (found,) = form_problems(read_lock("requirements.txt", text))

    assert problem in found


def test_an_extra_that_names_the_project_itself_stands_for_its_lines():
    described = {
        "project": {
            "name": "teddy-cqrs",
            "dependencies": ["rich>=15"],
            "optional-dependencies": {"local": ["jgo>=3"], "dev": ["Teddy_CQRS[local]", "ruff"]},
        },
        "dependency-groups": {"build": ["setuptools>=80"]},
    }

    def names(lock_name: str) -> list[str]:
        return [requirement.name for requirement in own_requirements(described, lock_name)]

    assert names("requirements.txt") == ["rich"]
    assert names("requirements-dev.txt") == ["rich", "jgo", "ruff"]
    assert names("requirements-build.txt") == ["setuptools"]


def _removed(text: str) -> Callable[[str], str]:
    return lambda whole: whole.replace(text, "")


@pytest.mark.parametrize(
    ("file", "change", "problem"),
    [
        ("requirements-dev.txt", _removed("[toml]"), "coverage lacks [toml]"),
        ("requirements-dev.txt", lambda text: text.replace("=sha256:", "=md5:"), "has no hash"),
        (INSTALLER, lambda text: text.replace("=sha256:", "=md5:"), "uv has no hash"),
        ("requirements.txt", lambda text: f"{INDEX} x\n{text}", "names a package index"),
        ("pyproject.toml", lambda text: text.replace('"jgo', '# "jgo'), "nothing requires jgo"),
        ("pyproject.toml", lambda text: text.replace('"rich>=', '"rich>=9'), "requires rich>=9"),
    ],
)
def test_the_check_of_this_repository_fails_for_each_change(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    file: str,
    change: Callable[[str], str],
    problem: str,
):
    (tmp_path / INSTALLER).parent.mkdir(parents=True)
    for name in (*LOCKS, INSTALLER, "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)

    (tmp_path / file).write_text(change((tmp_path / file).read_text()))

    assert main(tmp_path) == 1
    assert problem in capsys.readouterr().out


def test_the_check_of_this_repository_holds():
    assert problems_of(ROOT, installed_needs()) == []
