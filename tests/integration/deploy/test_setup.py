"""`make setup` installs what is locked, says in one line what stops it, and repairs itself."""

import ensurepip
import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.tiny_project import LINE_OF_A_LOCK, REPOSITORY, SETUP, TinyProject, tiny_project
from tests.support.waiting import until

LOCKED = {"report": "1.0", "measure": "1.0", "reader": "1.0"}
WITHOUT_THE_EXTRA = "measure"
KEEPS_TO_THE_LOCK = (23, 3)  # the first pip that needs no extras in a lock


@pytest.fixture
def project(tmp_path: Path) -> TinyProject:
    return tiny_project(tmp_path)


@pytest.fixture
def silent_index() -> Iterator[socket.socket]:
    """It takes a connection and never answers: whoever asks it hangs in the middle."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def asking(server: socket.socket) -> dict[str, str]:
    """Settings that let pip ask `server` and nobody else."""
    url = f"http://127.0.0.1:{server.getsockname()[1]}/"
    return {"PIP_INDEX_URL": url, "PIP_NO_INDEX": "0", "PIP_FIND_LINKS": "", "PIP_RETRIES": "0"}


def one_line(done: "subprocess.CompletedProcess[str]") -> str:
    """What it said on stderr: one line, and not exit code 0."""
    (line,) = done.stderr.splitlines()
    assert done.returncode != 0
    return line


def without_power_over_files() -> list[str]:
    """A prefix for commands: root, too, is then refused what the folder's mode refuses."""
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []


@contextmanager
def small_disk(folder: Path) -> Iterator[list[str]]:
    """Room for 1 MB in `folder`; a prefix for commands where only root could mount such a disk."""
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        yield ["/bin/sh", "-c", 'ulimit -f 200 && exec "$@"', "sh"]  # a file of at most 100 kB
        return
    try:
        yield []
    finally:
        subprocess.run(["umount", folder], check=True)


def assert_repaired(project: TinyProject) -> None:
    done = project.set_up()
    assert (done.returncode, done.stderr) == (0, "")
    assert project.installed() == LOCKED


def test_the_locked_versions_are_installed_though_the_index_has_newer_ones(
    project: TinyProject,
) -> None:
    assert {path.name.split("-")[1] for path in project.index.iterdir()} == {"1.0", "2.0"}
    project.lock(measure=WITHOUT_THE_EXTRA)  # which pip of Python 3.11 would refuse by itself

    assert_repaired(project)

    left_over = project.root / ".venv" / "left-over"
    left_over.touch()
    assert project.set_up().stdout == ""  # nothing changed: nothing is done
    assert left_over.exists()


def test_pip_alone_refuses_a_lock_without_the_extra_on_the_day_after(project: TinyProject) -> None:
    """What `make setup` did before: whether it works depends on pip and on what was released."""
    project.lock(measure=WITHOUT_THE_EXTRA)
    environment = project.root / ".venv"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    pip = [
        str(environment / "bin/pip"),
        "install",
        "--require-hashes",
        "-r",
        "requirements-dev.txt",
    ]

    done = subprocess.run(
        pip, cwd=project.root, env=project.environment, capture_output=True, text=True, check=False
    )

    bundled = tuple(int(part) for part in ensurepip.version().split(".")[:2])
    assert (done.returncode == 0) == (bundled >= KEEPS_TO_THE_LOCK)
    if bundled < KEEPS_TO_THE_LOCK:
        assert "must have their versions pinned" in done.stderr
        assert "measure[toml]" in done.stderr


async def test_the_next_setup_repairs_one_that_was_killed_half_way(
    project: TinyProject, silent_index: socket.socket
) -> None:
    making = project.start()
    await until((project.root / ".venv/bin/python").exists, seconds=60)
    making.kill()  # its own programs go on for a moment: the next setup waits for their end
    making.communicate()

    for number in (signal.SIGKILL, signal.SIGINT):
        installing = project.start(**asking(silent_index))
        silent_index.settimeout(120)
        connection, _ = silent_index.accept()
        with connection:  # pip waits for the answer, for as long as this is open
            installing.send_signal(number)
            _, said = installing.communicate(timeout=60)
        assert not (project.root / ".venv/.installed").exists()
    assert installing.returncode == 130
    assert said == "setup was interrupted: the next run starts again\n"

    left_over = project.root / ".venv" / "left-over"
    left_over.touch()
    assert_repaired(project)
    assert not left_over.exists()


def test_a_second_setup_waits_for_the_first_and_can_be_stopped(project: TinyProject) -> None:
    with (project.root / ".setup.log").open("w") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        with project.start() as second:
            assert second.stdout is not None
            assert "waiting" in second.stdout.readline()
            second.terminate()
            _, said = second.communicate(timeout=60)

    assert second.returncode == 143
    assert said == "setup was interrupted: the next run starts again\n"
    assert not (project.root / ".venv").exists()


def test_an_index_that_is_not_there(project: TinyProject, silent_index: socket.socket) -> None:
    settings = {**asking(silent_index), "PIP_RETRIES": "1"}
    silent_index.close()

    line = one_line(project.set_up(**settings))

    assert "the package index did not answer" in line
    assert ".setup.log" in line
    assert "Connection refused" in (project.root / ".setup.log").read_text()


def test_another_hash_than_the_locked_one(project: TinyProject) -> None:
    lock = project.root / "requirements-build.txt"
    lock.write_text(LINE_OF_A_LOCK.format(name="builder", version="1.0", digest="0" * 64))

    line = one_line(project.set_up())

    assert "a file for builder==1.0 whose hash is not the locked one" in line
    assert not (project.root / ".venv/.installed").exists()


def test_a_full_disk(project: TinyProject) -> None:
    with small_disk(project.root / ".venv") as limited:
        line = one_line(project.set_up((*limited, *SETUP)))

    assert "no space left" in line


def test_a_folder_that_may_not_be_written(project: TinyProject) -> None:
    project.root.chmod(0o555)

    line = one_line(project.set_up((*without_power_over_files(), *SETUP)))

    assert f"no permission to write {project.root}" in line


def test_an_environment_that_may_not_be_written(project: TinyProject) -> None:
    environment = project.root / ".venv"
    environment.mkdir(mode=0o555)

    line = one_line(project.set_up((*without_power_over_files(), *SETUP)))

    assert f"no permission to write {environment}" in line


def test_a_cache_that_may_not_be_written_stops_nothing(project: TinyProject) -> None:
    Path(project.environment["PIP_CACHE_DIR"]).mkdir(mode=0o555)

    done = project.set_up((*without_power_over_files(), *SETUP))

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("sys.modules['ensurepip'] = None", "has no venv and ensurepip"),
        ("sys.modules['venv'] = None", "apt install python3-venv"),
        ("sys.version_info = (3, 10, 14)", "Python 3.11 or newer is needed"),
    ],
)
def test_a_python_that_will_not_do(project: TinyProject, change: str, said: str) -> None:
    run = "import runpy; runpy.run_module('deploy.setup', run_name='__main__', alter_sys=True)"

    line = one_line(project.set_up((sys.executable, "-c", f"import sys; {change}; {run}")))

    assert said in line
    assert sys.executable in line
    assert not (project.root / ".venv").exists()


def test_no_python_at_all() -> None:
    done = subprocess.run(
        ["make", "setup", "PYTHON=/nowhere/python3"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.splitlines()[0].startswith("/nowhere/python3 not found: install Python")
