"""What an operator says about signing in at a provider."""

from typing import Any

import pytest
from pydantic import ValidationError

from query_service.settings import QuerySettings
from shared.settings import load_settings
from tests.support.query_side import QuerySide

WHOLE = {
    "pages_oidc_issuer": "https://login.example/realms/teddy",
    "pages_oidc_client_id": "teddy-pages",
    "pages_oidc_client_secret": "kept-to-itself",
    "pages_public_url": "https://teddy.example",
}
PAGES = {"pages_command_url": "http://command:8001", "behind_tls": True}


def settings(side: QuerySide, **given: Any) -> QuerySettings:
    return QuerySettings.model_validate(side.settings.model_dump(exclude_defaults=True) | given)


def test_nobody_signs_in_at_a_provider_unless_there_is_one(side: QuerySide):
    assert settings(side).pages_oidc_issuer is None
    whole = settings(side, **PAGES, **WHOLE)
    assert whole.pages_oidc_issuer == "https://login.example/realms/teddy"
    assert "kept-to-itself" not in repr(whole)


def test_where_the_pages_are_may_be_said_without_a_provider(side: QuerySide):
    assert settings(side, pages_public_url=WHOLE["pages_public_url"]).pages_oidc_issuer is None


@pytest.mark.parametrize("missing", WHOLE)
def test_half_a_provider_is_refused_by_the_name_of_what_is_missing(side: QuerySide, missing: str):
    half = {name: value for name, value in WHOLE.items() if name != missing}
    with pytest.raises(ValidationError, match=f"TEDDY_{missing.upper()}"):
        settings(side, **PAGES, **half)


def test_a_provider_needs_pages(side: QuerySide):
    with pytest.raises(ValidationError, match="TEDDY_PAGES_COMMAND_URL"):
        settings(side, **WHOLE)


def test_over_https_a_session_is_never_sent_in_clear(side: QuerySide):
    with pytest.raises(ValidationError, match="TEDDY_BEHIND_TLS=true"):
        settings(side, **(PAGES | WHOLE | {"behind_tls": False}))
    here = {"pages_public_url": "http://127.0.0.1:8004", "behind_tls": False}
    assert not settings(side, **(PAGES | WHOLE | here)).behind_tls


@pytest.mark.parametrize(
    "wrong",
    [
        {"pages_oidc_issuer": "http://login.example"},
        {"pages_oidc_issuer": "https://user:pass@login.example"},
        {"pages_oidc_issuer": "https://login.example?a=1"},
        {"pages_oidc_issuer": "ftp://login.example"},
        {"pages_oidc_client_id": "two words"},
        {"pages_oidc_client_secret": ""},
        {"pages_oidc_client_secret": "two words"},
        {"pages_oidc_client_secret": "gehe\u00efm"},
        {"pages_public_url": "http://teddy.example"},
        {"pages_public_url": "https://teddy.example/pages"},
        {"pages_public_url": "https://teddy.example?a"},
        {"pages_oidc_scopes": "profile"},
        {"pages_oidc_scopes": "openid  profile"},
    ],
)
def test_a_provider_that_cannot_be_meant_is_refused(side: QuerySide, wrong: dict[str, str]):
    with pytest.raises(ValidationError):
        settings(side, **(PAGES | WHOLE | wrong))


def test_a_public_url_may_end_with_a_slash(side: QuerySide):
    here = {"pages_public_url": "https://teddy.example/"}
    assert settings(side, **(PAGES | WHOLE | here)).pages_public_url == "https://teddy.example"


def test_a_process_says_in_one_line_what_is_missing(
    side: QuerySide, capsys: pytest.CaptureFixture[str]
):
    given = side.settings.model_dump(exclude_defaults=True) | PAGES | WHOLE
    del given["pages_oidc_client_secret"]
    with pytest.raises(SystemExit) as ended:
        load_settings(QuerySettings, **given)
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "settings: to sign in at an OpenID provider, set TEDDY_PAGES_OIDC_CLIENT_SECRET too\n"
    )


def test_a_secret_that_cannot_be_sent_is_refused_and_not_shown(
    side: QuerySide, capsys: pytest.CaptureFixture[str]
):
    given = side.settings.model_dump(exclude_defaults=True) | PAGES | WHOLE
    with pytest.raises(SystemExit) as ended:
        load_settings(QuerySettings, **(given | {"pages_oidc_client_secret": "gehe\u00efm"}))
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "TEDDY_PAGES_OIDC_CLIENT_SECRET" in said
    assert "gehe" not in said
