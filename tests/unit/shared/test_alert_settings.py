from typing import Any

import pytest
from pydantic import ValidationError

from projection_worker.settings import AlertSettings
from shared.events.child import AlertChannel
from tests.support.webhook_receiver import SECRET

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


pytestmark = pytest.mark.usefixtures("no_settings")


def settings(**given: Any) -> AlertSettings:
    return AlertSettings(**given)


def test_the_app_is_always_a_channel() -> None:
    assert settings().configured_channels == {AlertChannel.IN_APP}
    assert settings(**EMAIL).configured_channels == {AlertChannel.IN_APP, AlertChannel.EMAIL}


def test_a_webhook_with_all_that_it_needs_is_taken() -> None:
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
def test_what_cannot_work_is_refused_with_what_it_needs(given: dict[str, Any], names: str) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(**given)

    assert names in str(refused.value.errors()[0]["msg"])


def test_http_is_for_receivers_that_may_be_private() -> None:
    url = "http://127.0.0.1:9000/"

    assert settings(**{**WEBHOOK, "alert_webhook_url": url}, alert_webhook_private=True)


def test_settings_do_not_print_the_secrets_of_receivers() -> None:
    mail = {**EMAIL, "alert_channels": "webhook,email", "alert_smtp_password": "pass-word"}

    printed = repr(settings(**{**WEBHOOK, **mail}, alert_webhook_old_secret=SECRET))

    assert SECRET not in printed
    assert "pass-word" not in printed
