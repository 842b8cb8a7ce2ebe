"""Each promise of the Compose stack is broken once, and is seen to be broken."""

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest

from deploy.checks.compose.__main__ import main
from deploy.checks.compose.project import Project, read_project, seconds
from deploy.checks.compose.promises import PROMISES, Promise

Tampering = Callable[[Project], Project]


def _service(name: str, **changes: object) -> Tampering:
    """The project with other values in a service; None takes the key away."""

    def tamper(project: Project) -> Project:
        compose = copy.deepcopy(project.compose)
        for key, value in changes.items():
            compose["services"][name].pop(key, None)
            if value is not None:
                compose["services"][name][key] = value
        return replace(project, compose=compose)

    return tamper


def _environment(name: str, **variables: str) -> Tampering:
    def tamper(project: Project) -> Project:
        known = project.services[name].get("environment", {})
        return _service(name, environment={**known, **variables})(project)

    return tamper


def _without_variable(name: str, variable: str) -> Tampering:
    def tamper(project: Project) -> Project:
        known = project.services[name]["environment"]
        kept = {key: value for key, value in known.items() if key != variable}
        return _service(name, environment=kept)(project)

    return tamper


def _text(file: str, old: str, new: str) -> Tampering:
    def tamper(project: Project) -> Project:
        text = getattr(project, file)
        assert old in text
        return replace(project, **{file: text.replace(old, new)})

    return tamper


def _open_network(project: Project) -> Project:
    compose = copy.deepcopy(project.compose)
    compose["networks"]["servers"] = {}
    return replace(project, compose=compose)


def _without(name: str) -> Tampering:
    def tamper(project: Project) -> Project:
        compose = copy.deepcopy(project.compose)
        del compose["services"][name]
        return replace(project, compose=compose)

    return tamper


LAST_WAIT = {"mongo-setup": {"condition": "service_started"}}
TAMPERINGS: dict[str, tuple[tuple[Tampering, str], ...]] = {
    "of_the_schema": (
        (_service("mongo", prots=["27017"]), "prots"),
        (_service("kafka", restart=7), "services.kafka.restart"),
    ),
    "all_services": (
        (_without("relay"), "relay"),
        (_service("worker", command=["query_service"]), "worker does not start projection_worker"),
        (_service("redis", profiles=None), "redis is not in a profile"),
    ),
    "named_versions": (
        (_service("mongo", image="mongo:latest"), "mongo:latest has no fixed version"),
        (_service("kafka", image="other/kafka:4.1.1"), "not Apache Kafka"),
    ),
    "pinned_when_set": (
        (_service("mongo", image="mongo:8.0.15"), "mongo: images.env has no digest"),
        (_text("digests", "REDIS_DIGEST=", "RADIS_DIGEST="), "redis: images.env has no digest"),
        (_text("digests", "REDIS_DIGEST=", "A_DIGEST=\nREDIS_DIGEST="), "A_DIGEST is not used"),
        (_text("digests", "KAFKA_DIGEST=", "KAFKA_DIGEST=latest"), "KAFKA_DIGEST is not a digest"),
        (_text("dockerfile", "bookworm${PYTHON_DIGEST}\nARG", "bookworm\nARG"), "a stage"),
        (_service("tools", build={"context": ".."}), "the build gets no PYTHON_DIGEST"),
    ),
    "start_order": (
        (_service("command", depends_on=LAST_WAIT), "command waits for"),
        (_service("relay", depends_on=None), "relay waits for {}"),
    ),
    "health": (
        (_service("kafka", healthcheck=None), "kafka has no health check"),
        (_service("query", healthcheck={"disable": True}), "query has no health check"),
        (
            _service("worker", healthcheck={"test": ["CMD", "true"]}),
            "worker has no health check of its own",
        ),
        (_service("mongo", healthcheck={"test": ["CMD", "true"]}), "mongo: interval"),
    ),
    "published": (
        (_service("mongo", ports=["127.0.0.1:27017:27017"]), "mongo publishes"),
        (_service("proxy", ports=["8001:8001", "127.0.0.1:8004:8004"]), "not on loopback only"),
        (_service("proxy", ports=["127.0.0.1:8001:8001"]), "published ports other"),
        (_service("relay", network_mode="host"), "network of the host"),
    ),
    "networks": (
        (_open_network, "reaches servers"),
        (_service("worker", networks=None), "worker reaches default"),
        (_service("query", networks=["receivers"]), "query reaches receivers"),
    ),
    "authentication": (
        (_service("mongo", command=["--replSet=rs0"]), "mongo is started without --keyFile"),
        (_service("mongo", environment={}), "mongo has no initial user"),
        (_service("kafka", volumes=[]), "kafka does not read the generated file"),
        (
            _environment("relay", TEDDY_KAFKA_SECURITY="PLAINTEXT"),
            "relay connects to kafka without",
        ),
    ),
    "no_secrets": (
        (_environment("relay", TEDDY_KAFKA_PASSWORD="hunter2"), "TEDDY_KAFKA_PASSWORD stands"),
        (_environment("query", SOMETHING="mongodb://a:b@mongo/"), "SOMETHING stands"),
        (_text("caddyfile", "admin off", "admin off # http://a:b@c/"), "an address with"),
    ),
    "own_secrets_only": (
        (_service("relay", volumes=["worker-secrets:/run/teddy:ro"]), "relay mounts worker-sec"),
        (_service("query", volumes=["query-secrets:/run/teddy"]), "query mounts query-secrets"),
        (_service("command", volumes=["other:/run/keys:ro"]), "no job creates other"),
    ),
    "limits": ((_service("worker", deploy=None), "worker has no limit of cpus, memory, pids"),),
    "volumes": (
        (_service("mongo", volumes=["./data:/data/db"]), "mongo mounts ./data"),
        (_service("kafka", volumes=[]), "kafka keeps /var/lib/kafka/data in no volume"),
    ),
    "restarts": (
        (_service("query", restart=None), "query: restart is None"),
        (_service("topics", restart="always"), "topics: restart is 'always'"),
    ),
    "grace": (
        (_service("worker", stop_grace_period=None), "worker is killed after 10 s"),
        (_service("command", stop_grace_period="13s"), "command is killed after 13 s"),
    ),
    "scalable": (
        (_service("command", container_name="one"), "command has container_name"),
        (
            _environment("worker", TEDDY_WORKER_INSTANCE_ID="one"),
            "the same name in their consumer group",
        ),
        (_text("caddyfile", "dynamic a {", "dynamic srv {"), "only once"),
        (_text("caddyfile", "$QUERY_NAME:query", "$QUERY_NAME:one"), "containers of query"),
    ),
    "proxy_accepts": ((_text("caddyfile", "lb_policy", "lb_polity"), "lb_polity"),),
    "confined": (
        (_service("query", user="0:0"), "query runs as 0:0"),
        (_service("relay", user="teddy"), "relay runs as teddy"),
        (_service("worker", read_only=None), "worker can write to its image"),
        (_service("kafka", cap_drop=None), "kafka keeps capabilities"),
        (_service("mongo", security_opt=[]), "mongo can gain privileges"),
        (_service("proxy", privileged=True), "proxy is privileged"),
        (_service("secrets", network_mode=None), "the secrets job runs as root, or has a network"),
    ),
    "settings": (
        (_environment("query", TEDDY_QUERRY_PORT="1"), "no process reads TEDDY_QUERRY_PORT"),
        (_without_variable("command", "TEDDY_KEY_FILE"), "command has no TEDDY_KEY_FILE"),
    ),
    "one_image": (
        (_service("relay", image="teddy-relay:local"), "of different images"),
        (_text("dockerfile", "-slim-bookworm", ""), "not a slim Python"),
    ),
    "image_rules": (
        (_text("dockerfile", "--require-hashes ", ""), "hashed dependencies"),
        (_text("dockerfile", "--only-binary :all: ", ""), "hashed tools"),
        (_text("dockerfile", "--no-index ", ""), "nothing but what was hashed"),
        (_text("dockerfile", "\nHEALTHCHECK", "\n# HEALTHCHECK"), "a health check"),
        (_text("dockerfile", "USER 10001:10001", "USER teddy"), "numeric user"),
        (_text("dockerignore", "\n*\n", "\n"), "first exclude everything"),
    ),
    "linted": ((_text("dockerfile", "WORKDIR /app", "WORKDIR app"), "DL3000"),),
    "everything_exists": (
        (
            _service("topics", command=["deploy.client"]),
            "deploy.client, which is not a runnable module",
        ),
        (_text("dockerfile", "COPY shared /app", "COPY sharing /app"), "sharing, which does not"),
        (_text("dockerignore", "!deploy\n", ""), "leaves out deploy"),
    ),
}


@pytest.fixture(scope="module")
def project() -> Project:
    return read_project()


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.text)
def test_a_promise_holds(promise: Promise, project: Project):
    assert list(promise.problems(project)) == []


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.text)
def test_a_promise_that_is_broken_is_seen(promise: Promise, project: Project):
    tamperings = TAMPERINGS[promise.problems.__name__]

    for tamper, seen in tamperings:
        problems = list(promise.problems(tamper(project)))
        assert any(seen in problem for problem in problems), (seen, problems)


def test_the_table_says_what_holds_and_what_does_not(
    project: Project, capsys: pytest.CaptureFixture[str]
):
    broken = _service("mongo", ports=["27017:27017"])(project)
    code = main(broken)
    assert code == 1
    assert (
        "Only the two APIs are published, on loopback: mongo publishes" in capsys.readouterr().out
    )


def test_durations_are_read_as_compose_reads_them():
    assert [seconds(text) for text in ("20s", "1m", "1m30s")] == [20, 60, 90]
