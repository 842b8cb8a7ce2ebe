"""The pages as the settings want them."""

import time

from query_service.pages.account_forms import Notice
from query_service.pages.begun_sign_ins import BegunSignIns
from query_service.pages.provider import Client, Provider
from query_service.pages.provider_sign_in import CALLBACK, AtProvider
from query_service.pages.served_pages import ServedPages
from query_service.pages.sessions import Sessions
from query_service.settings import QuerySettings
from shared.auth.tokens import TokenVerifier
from shared.keyring.key_file import KeyFile


def pages_of(settings: QuerySettings, verifier: TokenVerifier, keys: KeyFile) -> ServedPages:
    """None are served where the settings name no command API."""
    sessions = Sessions(
        verifier,
        keys.signature_key,
        behind_tls=settings.behind_tls,
        by_link=settings.pages_sign_in_links,
    )
    version, url = settings.pages_notice_version, settings.pages_notice_url
    method = settings.pages_consent_method
    notice = Notice(version, url, method) if version and url and method else None
    at_provider = _at_provider(settings, keys)
    return ServedPages(settings.pages_command_url, sessions, notice, at_provider)


def _at_provider(settings: QuerySettings, keys: KeyFile) -> AtProvider | None:
    issuer, client_id = settings.pages_oidc_issuer, settings.pages_oidc_client_id
    secret, here = settings.pages_oidc_client_secret, settings.pages_public_url
    if not (issuer and client_id and secret and here):
        return None
    client = Client(
        issuer,
        client_id,
        secret.get_secret_value(),
        settings.pages_oidc_scopes,
        f"{here}{CALLBACK}",
        settings.token_leeway_seconds,
    )
    begun = BegunSignIns(keys.signature_key, behind_tls=settings.behind_tls)
    return AtProvider(Provider(client, time.monotonic), begun)
