"""A project and an index of its own, small enough that a real installation takes seconds.

`report` asks for `measure` with its extra `toml`, as pytest-cov asks for coverage[toml]. All are
locked at 1.0, and the index has 2.0 of each: the day after the lock was made.
"""

import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SETUP = (sys.executable, "-m", "deploy.setup")
LINE_OF_A_LOCK = "{name}=={version} --hash=sha256:{digest}\n"

PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "tiny"
version = "1.0"
"""

BACKEND = """\
from pathlib import Path
from tests.support.tiny_project import write_wheel

def build_editable(folder, config_settings=None, metadata_directory=None):
    return write_wheel(Path(folder), "tiny", "1.0").name
"""


def write_wheel(folder: Path, name: str, version: str, *metadata: str, size: int = 0) -> Path:
    """A wheel with one module `name`, of `size` bytes more; `metadata` are lines like
    `Requires-Dist: x`."""
    info = f"{name}-{version}.dist-info"
    head = ("Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *metadata)
    files = {
        f"{name}.py": f"version = {version!r}\n" + "#" * size,
        f"{info}/METADATA": "\n".join(head) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in files)
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


@dataclass
class TinyProject:
    root: Path
    index: Path
    environment: Mapping[str, str]
    digests: dict[str, str] = field(default_factory=dict)

    def lock(self, *, measure: str = "measure[toml]") -> None:
        """Everything at 1.0, in the file that names packages to install."""
        names = {"report": "report", measure: "measure", "reader": "reader"}
        (self.root / "requirements-dev.txt").write_text(
            "".join(
                LINE_OF_A_LOCK.format(name=name, version="1.0", digest=self.digests[package])
                for name, package in names.items()
            )
        )

    def set_up(
        self, command: Sequence[str] = SETUP, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*command, str(self.root)],
            cwd=REPOSITORY,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def start(self, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*SETUP, str(self.root)],
            cwd=REPOSITORY,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def installed(self) -> dict[str, str]:
        """Version of each module of the index, as the environment's own Python imports it."""
        code = (
            "import report, measure, reader as r; print(report.version, measure.version, r.version)"
        )
        done = subprocess.run(
            [self.root / ".venv/bin/python", "-I", "-c", code],
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(zip(("report", "measure", "reader"), done.stdout.split(), strict=True))


def tiny_project(folder: Path) -> TinyProject:
    root, index = folder / "project", folder / "index"
    root.mkdir()
    index.mkdir()
    needs = {
        "report": ("Requires-Dist: measure[toml]>=1.0",),
        "measure": ("Provides-Extra: toml", "Requires-Dist: reader; extra == 'toml'"),
        "reader": (),
        "builder": (),
    }
    for version in ("2.0", "1.0"):
        wheels = {
            name: write_wheel(index, name, version, *lines, size=400_000 * (name == "reader"))
            for name, lines in needs.items()
        }
    digests = {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in wheels.items()}
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "backend.py").write_text(f"import sys\nsys.path.append({str(REPOSITORY)!r})\n{BACKEND}")
    (root / "requirements-build.txt").write_text(
        LINE_OF_A_LOCK.format(name="builder", version="1.0", digest=digests["builder"])
    )
    project = TinyProject(root, index, _only(index, folder / "cache"), digests)
    project.lock()
    return project


def _only(index: Path, cache: Path) -> Mapping[str, str]:
    """No index but the folder, and none of the settings that whoever runs the tests has."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return {
        **own,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_CACHE_DIR": str(cache),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(index),
    }
