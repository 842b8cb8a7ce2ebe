"""The secrets of the Compose stack: made once, for their readers only."""

import ssl
import stat
from pathlib import Path

import pytest

from deploy.containers.accounts import ACCOUNTS, TOOLS
from deploy.containers.credentials import passwords
from deploy.containers.first_start import Site, write_secrets
from shared.clock import utc_now
from shared.keyring.key_file import read_key_file


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_second_start_changes_nothing_and_writes_again_what_was_lost(tmp_path: Path):
    write_secrets(tmp_path, Site(), utc_now())
    first = _contents(tmp_path)
    write_secrets(tmp_path, Site(), utc_now())

    assert _contents(tmp_path) == first
    (tmp_path / "relay" / "teddy_write_mongo_url").unlink()
    (tmp_path / "kafka" / "server.properties").write_text("half a fi")
    write_secrets(tmp_path, Site(), utc_now())
    assert _contents(tmp_path) == first


def test_only_the_owner_may_read_a_file_with_a_secret_and_none_has_the_authority_s_key(
    tmp_path: Path,
):
    write_secrets(tmp_path, Site(), utc_now())

    public = {"jwks.json", "proof-keys.json"}
    modes = {
        stat.S_IMODE(path.stat().st_mode)
        for path in tmp_path.rglob("*")
        if path.is_file() and path.name not in public
    }
    assert modes == {0o600}
    read_key_file(tmp_path / "keys" / "keys.json")
    keys = {
        name
        for name, content in _contents(tmp_path).items()
        if b"PRIVATE KEY" in content and name != "state/certificates.json"
    }
    state = (tmp_path / "state" / "certificates.json").read_text()
    assert keys == {"mongo/server.pem", "kafka/server.pem", "issuer/signing.pem", "keys/proof.pem"}
    assert state.count("BEGIN PRIVATE KEY") == 2


def test_each_process_has_a_password_of_its_own_and_no_other(tmp_path: Path):
    write_secrets(tmp_path, Site(), utc_now())

    names = [account.name for account in ACCOUNTS]
    known = passwords(tmp_path / "state", names)
    assert len(set(known.values())) == len(names)
    for reader in names:
        text = b"".join(_contents(tmp_path / reader).values()).decode()
        seen = {name for name, password in known.items() if password in text}
        assert seen == {reader}


def test_new_certificates_leave_passwords_as_they_are(tmp_path: Path):
    write_secrets(tmp_path, Site(), utc_now())
    first = _contents(tmp_path)
    write_secrets(tmp_path, Site(), utc_now(), renew=True)
    changed = {name for name, content in _contents(tmp_path).items() if first[name] != content}
    assert {Path(name).name for name in changed} == {"ca.pem", "server.pem", "certificates.json"}
    ssl.create_default_context(cafile=tmp_path / "command" / "ca.pem")


def test_the_broker_has_no_listener_without_tls_and_users_but_its_own(tmp_path: Path):
    write_secrets(tmp_path, Site(), utc_now())

    lines = (tmp_path / "kafka" / "server.properties").read_text().splitlines()
    properties = dict(line.split("=", 1) for line in lines)
    assert properties["listeners"] == "CLIENTS://:9092,CONTROLLER://127.0.0.1:9093"
    assert properties["listener.security.protocol.map"].startswith("CLIENTS:SASL_SSL,")


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("relay", {("readWrite", "teddy_write"), ("readWrite", "teddy_keys")}),
        ("query", {("read", "teddy_read"), ("read", "teddy_keys"), ("readWrite", "teddy_audit")}),
    ],
)
def test_an_account_may_do_what_its_settings_ask_for(name: str, roles: set[tuple[str, str]]):
    (account,) = (one for one in ACCOUNTS if one.name == name)

    assert {(role["role"], role["db"]) for role in account.roles()} >= roles


def test_only_the_tools_own_databases():
    owners = {a.name for a in ACCOUNTS if any(r["role"] == "dbOwner" for r in a.roles())}

    assert owners == {TOOLS}
