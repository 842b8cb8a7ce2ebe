"""How the processes reach MongoDB and Kafka: what the settings say, and what stops them."""

import ssl
from pathlib import Path

import faust
import pytest
from aiokafka import AIOKafkaProducer

from projection_worker.consuming.faust_app import credentials_of
from shared.http.request_context import site_of
from shared.kafka import KafkaServers, client_options
from shared.mongo import has_password
from shared.settings import KafkaSettings, ReadStoreSettings, load_settings
from tests.support.authority import Authority, create_authority

SECRET = "a-password-nobody-tells"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return create_authority(tmp_path)


def kafka_settings(**fields: object) -> KafkaSettings:
    return KafkaSettings.model_validate({"kafka_bootstrap": "broker:9093", **fields})


def test_without_settings_brokers_are_reached_as_ever():
    options = client_options(kafka_settings().kafka)

    assert options == {
        "bootstrap_servers": "broker:9093",
        "security_protocol": "PLAINTEXT",
        "ssl_context": None,
    }


async def test_every_client_gets_user_and_certificates(authority: Authority):
    settings = kafka_settings(
        kafka_security="SASL_SSL",
        kafka_user="teddy",
        kafka_password=SECRET,
        kafka_ca_file=authority.ca_file,
    )

    options = client_options(settings.kafka)

    context = options["ssl_context"]
    assert isinstance(context, ssl.SSLContext)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert [each["subject"][0][0][1] for each in context.get_ca_certs()] == ["test-ca"]
    assert options["security_protocol"] == "SASL_SSL"
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("teddy", SECRET)
    producer = AIOKafkaProducer(**options)  # refuses what does not fit together
    await producer.stop()
    assert SECRET not in repr(settings)
    assert SECRET not in repr(settings.kafka)


def test_faust_gets_the_same(authority: Authority):
    servers = KafkaServers("b", "SASL_SSL", "PLAIN", "teddy", SECRET, authority.ca_file)

    credentials = credentials_of(servers)

    assert isinstance(credentials, faust.SASLCredentials)
    assert credentials.protocol.value == "SASL_SSL"
    assert (credentials.username, credentials.password) == ("teddy", SECRET)
    tls_only = credentials_of(KafkaServers("b", "SSL", ca_file=authority.ca_file))
    assert isinstance(tls_only, faust.SSLCredentials)
    assert credentials_of(KafkaServers("b")) is None


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"TEDDY_KAFKA_SECURITY": "SASL_SSL"}, "TEDDY_KAFKA_USER"),
        ({"TEDDY_KAFKA_SECURITY": "TLS"}, "TEDDY_KAFKA_SECURITY"),
        ({"TEDDY_KAFKA_SECURITY": "SSL", "TEDDY_KAFKA_CA_FILE": "/nowhere"}, "KAFKA_CA_FILE"),
    ],
)
def test_what_kafka_cannot_be_reached_by_stops_the_process_with_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variables: dict[str, str],
    named: str,
):
    for name, value in {"TEDDY_KAFKA_BOOTSTRAP": "broker:9093", **variables}.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit) as ended:
        load_settings(KafkaSettings)

    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert named in line


@pytest.mark.parametrize(
    ("url", "ca_file"),
    [
        (f"mongodb://teddy:{SECRET}@:@host", None),
        (f"http://teddy:{SECRET}@host", None),
        (f"mongodb://teddy:{SECRET}@host", "/nowhere"),
    ],
)
def test_a_url_of_mongodb_that_cannot_be_used_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    url: str,
    ca_file: str | None,
):
    monkeypatch.setenv("TEDDY_READ_MONGO_URL", url)
    if ca_file is not None:
        monkeypatch.setenv("TEDDY_MONGO_CA_FILE", ca_file)

    with pytest.raises(SystemExit) as ended:
        load_settings(ReadStoreSettings)

    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert "TEDDY_READ_MONGO_URL" in line
    assert SECRET not in line


def test_a_ca_file_puts_every_url_over_tls(authority: Authority):
    settings = ReadStoreSettings(
        read_mongo_url="mongodb://host/?replicaSet=rs0", mongo_ca_file=authority.ca_file
    )

    assert "tls=true&tlsCAFile=" in settings.read_mongo_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mongodb://a:b@host/", True),
        ("mongodb://host:27017/?x=y", False),
        ("https://idp.example/jwks", False),
    ],
)
def test_a_password_in_a_url_is_seen(url: str, expected: bool):
    assert has_password(url) is expected


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("192.0.2.9", "192.0.2.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.9", "192.0.2.9"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_an_address_counts_for_whoever_may_use_its_neighbours_too(address: str, site: str):
    assert site_of(address) == site
