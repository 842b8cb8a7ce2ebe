"""Settings, channels of alerts among them, and what stops a process."""

from pathlib import Path
from typing import Any

import pytest
from limits import parse
from pydantic import ValidationError

from command_service.settings import CommandSettings, RelaySettings
from deploy.settings import RetentionSettings
from projection_worker.settings import AlertSettings
from query_service.settings import QuerySettings
from shared.auth.access import RateClass
from shared.events.child import AlertChannel
from shared.http.settings import HttpSettings, RateLimitSettings, TokenSettings
from shared.settings import load_settings
from tests.support.webhook_receiver import SECRET

pytestmark = pytest.mark.usefixtures("no_settings")


def _refusal(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        load_settings(RelaySettings)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch):
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
):
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
):
    monkeypatch.setenv("TEDDY_SECRETS_DIR", str(tmp_path / "nowhere"))

    assert _refusal(capsys) == "settings: TEDDY_SECRETS_DIR: is not a folder"


def test_missing_settings_are_named_in_one_line(capsys: pytest.CaptureFixture[str]):
    line = _refusal(capsys)
    assert line.startswith("settings: ")
    assert "TEDDY_WRITE_MONGO_URL: required" in line
    assert "TEDDY_KAFKA_BOOTSTRAP: required" in line


def test_a_malformed_setting_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
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
):
    monkeypatch.setenv("TEDDY_WRITE_MONGO_URL", "mongodb://localhost")
    monkeypatch.setenv("TEDDY_KEYS_MONGO_URL", "mongodb://localhost")
    monkeypatch.setenv("TEDDY_KAFKA_BOOTSTRAP", "localhost:9092")
    monkeypatch.setenv(name, value)
    assert name in _refusal(capsys)


def test_every_setting_says_what_it_is_for():
    for group in (CommandSettings, RelaySettings):
        assert all(field.description for field in group.model_fields.values())


@pytest.mark.parametrize(
    "url",
    ["query.example", "ftp://query.example", "https://u:p@query.example", "https://q.example/?"],
)
def test_an_address_that_leads_to_no_api_is_refused(url: str):
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
):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as refused:
        RateLimitSettings()
    (error,) = refused.value.errors()
    assert error["loc"] == (name.removeprefix("TEDDY_").lower(),)


def test_every_class_of_operations_has_a_limit_that_limits():
    settings = RateLimitSettings()
    for rate in RateClass:
        limit = parse(getattr(settings, f"rate_limit_{rate.value}"))
        assert limit.amount / limit.get_expiry() <= 20, f"{rate.value}: a second, of one subject"


def test_whether_bears_are_registered_is_found_out_slowly():
    limit = parse(RateLimitSettings().rate_limit_registration)
    assert limit.amount / limit.get_expiry() * 86_400 <= 1_000, "tries a day"


@pytest.mark.parametrize("proxies", ["proxy", "10.0.0.1/8", "10.0.0.1 10.0.0.2"])
def test_proxies_that_are_no_addresses_are_named(proxies: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TEDDY_TRUSTED_PROXIES", proxies)
    with pytest.raises(ValidationError, match="trusted_proxies"):
        HttpSettings()


def test_keys_are_looked_up_more_often_than_they_may_be_missed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TEDDY_JWKS_FILE", "keys.json")
    monkeypatch.setenv("TEDDY_JWKS_LIFE_SECONDS", "20")
    with pytest.raises(ValidationError, match="TEDDY_JWKS_COOLDOWN_SECONDS must be at most"):
        TokenSettings()


@pytest.mark.parametrize(
    "url", ["memory://", "redis://redis:6379", "rediss://user:secret@10.0.0.7:6380/3"]
)
def test_counters_may_be_here_or_in_redis(url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TEDDY_RATE_LIMIT_STORAGE", url)
    assert RateLimitSettings().rate_limit_storage == url


@pytest.mark.parametrize("url", ["postgres://localhost", "", "redis://localhost", "redis://:6379"])
def test_a_storage_of_the_query_cache_that_cannot_be_meant_is_named(
    url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TEDDY_QUERY_CACHE_STORAGE", url)
    with pytest.raises(ValidationError) as refused:
        QuerySettings()
    errors = {error["loc"] for error in refused.value.errors() if error["type"] == "value_error"}
    assert errors == {("query_cache_storage",)}


@pytest.mark.parametrize("kind", ["activity", "alert", "audit"])
@pytest.mark.parametrize("days", ["-1", "29", "40000", "many"])
def test_days_to_keep_something_that_cannot_be_meant_are_refused(
    monkeypatch: pytest.MonkeyPatch, kind: str, days: str
):
    monkeypatch.setenv(f"TEDDY_RETENTION_{kind.upper()}_DAYS", days)

    with pytest.raises(ValidationError, match=f"retention_{kind}_days"):
        _retention()


def test_activity_is_kept_as_long_as_analytics_ask_for_it(monkeypatch: pytest.MonkeyPatch):
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


WEBHOOK = {
    "alert_channels": "in_app,webhook",
    "alert_webhook_url": "https://receiver.example/alerts",
    "alert_webhook_secret": SECRET,
}
EMAIL = {
    "alert_channels": "email",
    "alert_smtp_host": "mail.example",
    "alert_email_sender": "alerts@teddy.example",
    "alert_email_address": "{parent_id}@parents.example",
}


def settings(**given: Any) -> AlertSettings:
    return AlertSettings(**given)


def test_the_app_is_always_a_channel():
    assert settings().configured_channels == {AlertChannel.IN_APP}
    assert settings(**EMAIL).configured_channels == {AlertChannel.IN_APP, AlertChannel.EMAIL}


def test_a_webhook_with_all_that_it_needs_is_taken():
    old = "whsec_" + "b2xkLXNlY3JldC1vZi10aGUtdGVzdHMtMTIzNA=="
    both = settings(**WEBHOOK, alert_webhook_old_secret=old)

    assert AlertChannel.WEBHOOK in both.configured_channels
    assert both.webhook_secrets == (SECRET, old)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"alert_channels": "in_app,pigeon"}, "in_app"),
        ({"alert_channels": "webhook"}, "TEDDY_ALERT_WEBHOOK_URL"),
        ({**WEBHOOK, "alert_webhook_secret": None}, "TEDDY_ALERT_WEBHOOK_SECRET"),
        ({"alert_webhook_url": WEBHOOK["alert_webhook_url"]}, "TEDDY_ALERT_CHANNELS"),
        ({**WEBHOOK, "alert_webhook_url": "http://receiver.example/"}, "https"),
        ({**WEBHOOK, "alert_webhook_url": "http://127.0.0.1/"}, "PRIVATE"),
        ({**WEBHOOK, "alert_webhook_url": "https://user:word@receiver.example/"}, "password"),
        ({**WEBHOOK, "alert_webhook_url": "https://receiver.example:port/"}, "URL"),
        ({**WEBHOOK, "alert_webhook_secret": "whsec_c2hvcnQ="}, "24 to 64"),
        ({**WEBHOOK, "alert_webhook_secret": "not base64 at all"}, "whsec_"),
        ({**EMAIL, "alert_smtp_host": None}, "TEDDY_ALERT_SMTP_HOST"),
        ({**EMAIL, "alert_email_sender": "nobody"}, "TEDDY_ALERT_EMAIL_SENDER"),
        ({**EMAIL, "alert_email_address": None}, "one of the two"),
        ({**EMAIL, "alert_email_addresses_file": "addresses.json"}, "one of the two"),
        ({**EMAIL, "alert_email_address": "all@parents.example"}, "{parent_id}"),
        (
            {**EMAIL, "alert_smtp_security": "none", "alert_smtp_password": "word"},
            "starttls or tls",
        ),
    ],
)
def test_what_cannot_work_is_refused_with_what_it_needs(given: dict[str, Any], names: str):
    with pytest.raises(ValidationError) as refused:
        settings(**given)

    assert names in str(refused.value.errors()[0]["msg"])


def test_http_is_for_receivers_that_may_be_private():
    url = "http://127.0.0.1:9000/"

    assert settings(**{**WEBHOOK, "alert_webhook_url": url}, alert_webhook_private=True)


def test_settings_do_not_print_the_secrets_of_receivers():
    mail = {**EMAIL, "alert_channels": "webhook,email", "alert_smtp_password": "pass-word"}

    printed = repr(settings(**{**WEBHOOK, **mail}, alert_webhook_old_secret=SECRET))

    assert SECRET not in printed
    assert "pass-word" not in printed
