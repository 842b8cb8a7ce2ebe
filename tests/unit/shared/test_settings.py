from pathlib import Path

import pytest
from limits import parse
from pydantic import ValidationError

from command_service.settings import CommandSettings, RelaySettings
from deploy.settings import RetentionSettings
from shared.auth.access import RateClass
from shared.http.settings import HttpSettings, RateLimitSettings, TokenSettings
from shared.settings import load_settings

pytestmark = pytest.mark.usefixtures("no_settings")


def _refusal(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        load_settings(RelaySettings)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    monkeypatch.setenv("TEDDY_WRITE_MONGO_URL", "mongodb://localhost")
    monkeypatch.setenv("TEDDY_KEYS_MONGO_URL", "mongodb://localhost")
    monkeypatch.setenv("TEDDY_KAFKA_BOOTSTRAP", "localhost:9092")
    monkeypatch.setenv("TEDDY_RELAY_BATCH", "7")
    # when
    settings = load_settings(RelaySettings)
    # then
    assert settings.kafka_bootstrap == "localhost:9092"
    assert settings.relay_batch == 7
    assert settings.relay_host == "127.0.0.1"


def test_a_setting_may_be_a_file_and_the_environment_wins_over_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # given
    (tmp_path / "teddy_write_mongo_url").write_text("mongodb://from-a-file\n")
    (tmp_path / "teddy_keys_mongo_url").write_text("mongodb://from-a-file\n")
    (tmp_path / "teddy_kafka_bootstrap").write_text("from-a-file:9092\n")
    monkeypatch.setenv("TEDDY_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("TEDDY_KAFKA_BOOTSTRAP", "localhost:9092")
    # when
    settings = load_settings(RelaySettings)
    # then
    assert settings.write_mongo_url == "mongodb://from-a-file"
    assert settings.kafka_bootstrap == "localhost:9092"


def test_a_folder_of_settings_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("TEDDY_SECRETS_DIR", str(tmp_path / "nowhere"))

    assert _refusal(capsys) == "settings: TEDDY_SECRETS_DIR: is not a folder"


def test_missing_settings_are_named_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    line = _refusal(capsys)
    assert line.startswith("settings: ")
    assert "TEDDY_WRITE_MONGO_URL: required" in line
    assert "TEDDY_KAFKA_BOOTSTRAP: required" in line


def test_a_malformed_setting_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # given
    monkeypatch.setenv("TEDDY_WRITE_MONGO_URL", "mongodb://user:secret@localhost")
    monkeypatch.setenv("TEDDY_KAFKA_BOOTSTRAP", "localhost:9092")
    monkeypatch.setenv("TEDDY_RELAY_PORT", "seventy-thousand")
    # when
    line = _refusal(capsys)
    # then
    assert "TEDDY_RELAY_PORT: must be an integer" in line
    assert "seventy" not in line
    assert "secret" not in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TEDDY_RELAY_PORT", "70000"),
        ("TEDDY_RELAY_BATCH", "0"),
        ("TEDDY_RELAY_LEASE_SECONDS", "-1"),
        ("TEDDY_MONGO_DRIVER", "telepathy"),
        ("TEDDY_LOG_LEVEL", "LOUD"),
    ],
)
def test_a_setting_out_of_range_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEDDY_WRITE_MONGO_URL", "mongodb://localhost")
    monkeypatch.setenv("TEDDY_KEYS_MONGO_URL", "mongodb://localhost")
    monkeypatch.setenv("TEDDY_KAFKA_BOOTSTRAP", "localhost:9092")
    monkeypatch.setenv(name, value)
    assert name in _refusal(capsys)


def test_every_setting_says_what_it_is_for() -> None:
    for group in (CommandSettings, RelaySettings):
        assert all(field.description for field in group.model_fields.values())


@pytest.mark.parametrize(
    "url",
    ["query.example", "ftp://query.example", "https://u:p@query.example", "https://q.example/?"],
)
def test_an_address_that_leads_to_no_api_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="must be an http or https URL"):
        CommandSettings(public_query_url=url)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TEDDY_RATE_LIMIT_STORAGE", "postgres://localhost"),
        ("TEDDY_RATE_LIMIT_STORAGE", ""),
        ("TEDDY_RATE_LIMIT_STORAGE", "redis://localhost"),
        ("TEDDY_RATE_LIMIT_STORAGE", "redis://:6379"),
        ("TEDDY_RATE_LIMIT_COMMANDS", "many"),
        ("TEDDY_RATE_LIMIT_COMMANDS", "0/minute"),
        ("TEDDY_RATE_LIMIT_SEARCH", "10"),
        ("TEDDY_RATE_LIMIT_STREAM", "10/fortnight"),
        ("TEDDY_RATE_LIMIT_QUERIES", "10/minute;20/hour"),
    ],
)
def test_a_rate_limit_that_cannot_be_meant_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as refused:
        RateLimitSettings()
    (error,) = refused.value.errors()
    assert error["loc"] == (name.removeprefix("TEDDY_").lower(),)


def test_every_class_of_operations_has_a_limit_that_limits() -> None:
    settings = RateLimitSettings()
    for rate in RateClass:
        limit = parse(getattr(settings, f"rate_limit_{rate.value}"))
        assert limit.amount / limit.get_expiry() <= 20, f"{rate.value}: a second, of one subject"


def test_whether_bears_are_registered_is_found_out_slowly() -> None:
    limit = parse(RateLimitSettings().rate_limit_registration)
    assert limit.amount / limit.get_expiry() * 86_400 <= 1_000, "tries a day"


@pytest.mark.parametrize("proxies", ["proxy", "10.0.0.1/8", "10.0.0.1 10.0.0.2"])
def test_proxies_that_are_no_addresses_are_named(
    proxies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEDDY_TRUSTED_PROXIES", proxies)
    with pytest.raises(ValidationError, match="trusted_proxies"):
        HttpSettings()


def test_keys_are_looked_up_more_often_than_they_may_be_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEDDY_JWKS_FILE", "keys.json")
    monkeypatch.setenv("TEDDY_JWKS_LIFE_SECONDS", "20")
    with pytest.raises(ValidationError, match="TEDDY_JWKS_COOLDOWN_SECONDS must be at most"):
        TokenSettings()


@pytest.mark.parametrize(
    "url", ["memory://", "redis://redis:6379", "rediss://user:secret@10.0.0.7:6380/3"]
)
def test_counters_may_be_here_or_in_redis(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEDDY_RATE_LIMIT_STORAGE", url)
    assert RateLimitSettings().rate_limit_storage == url


@pytest.mark.parametrize("kind", ["activity", "alert", "audit"])
@pytest.mark.parametrize("days", ["-1", "29", "40000", "many"])
def test_days_to_keep_something_that_cannot_be_meant_are_refused(
    monkeypatch: pytest.MonkeyPatch, kind: str, days: str
) -> None:
    monkeypatch.setenv(f"TEDDY_RETENTION_{kind.upper()}_DAYS", days)

    with pytest.raises(ValidationError, match=f"retention_{kind}_days"):
        _retention()


def test_activity_is_kept_as_long_as_analytics_ask_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEDDY_RETENTION_ACTIVITY_DAYS", "365")
    with pytest.raises(ValidationError, match="between 366"):
        _retention()

    monkeypatch.setenv("TEDDY_RETENTION_ACTIVITY_DAYS", "0")
    assert _retention().retention_activity_days == 0


def _retention() -> RetentionSettings:
    url, file = "mongodb://localhost", Path("proof.pem")
    return RetentionSettings(
        read_mongo_url=url, audit_mongo_url=url, proof_key_file=file, proof_keys_file=file
    )
