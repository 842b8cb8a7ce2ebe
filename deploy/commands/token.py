"""The command `token`: a bearer token for the local stack."""

import os
import re
from datetime import timedelta
from pathlib import Path

import click
from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from deploy.commands.running_stack import setting, use_environment_of
from deploy.local.control import StackFailed
from deploy.local.state import StackFolder
from shared.auth.access import SUBJECT_LIMIT, Principal, Role, is_subject
from shared.auth.tokens import TokenIssuer
from shared.clock import utc_now
from shared.event_store.port import StoreUnavailable
from shared.http.settings import TokenLifeSettings
from shared.keyring.cipher import SealBroken
from shared.keyring.key_file import KeyFileRefused
from shared.settings import load_settings
from shared.signing import SigningKeyRefused, read_signing_key

ELSEWHERE = {
    "verify": "projection_worker.replay.commands.verify:verify",
    "replay": "projection_worker.replay.__main__:replay",
    "dead-letter": "projection_worker.dead_letters.commands:dead_letter",
    "notifications": "projection_worker.notifications.commands:notifications",
    "audit": "deploy.commands.audit:audit",
    "evidence": "deploy.commands.evidence:evidence",
    "keys": "deploy.commands.keys:keys",
    "retention": "deploy.commands.retention:retention",
    "erase": "deploy.commands.erase:erase",
    "load": "deploy.load:load",
    "demo": "deploy.commands.running_stack:demo",
    "env": "deploy.commands.running_stack:env",
}
"""Commands that live with what they are about; imported when they are asked for."""

EXPECTED = (
    StackFailed,
    KeyFileRefused,
    SigningKeyRefused,
    StoreUnavailable,
    SealBroken,
    KafkaError,
    PyMongoError,
    OSError,
    ValueError,
)
NEED_STACK = frozenset(
    {
        "verify",
        "replay",
        "dead-letter",
        "notifications",
        "load",
        "audit",
        "evidence",
        "keys",
        "retention",
        "erase",
    }
)
STARTS_STACK = frozenset({"up", "demo"})
OFFLINE = frozenset({("audit", "verify-export"), ("evidence", "verify"), ("keys", "init")})
LIFE = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

LIFE = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@click.command()
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@click.option("--subject", required=True, help="Parent id, device id or name of the caller.")
@click.option("--life", default="1h", show_default=True, help="e.g. 30m, 12h, 7d")
@click.pass_obj
def token(folder: StackFolder, role: str, subject: str, life: str) -> None:
    """Print a bearer token for the local stack."""
    use_environment_of(folder)
    key = read_signing_key(Path(setting("TEDDY_SIGNING_KEY_FILE")))
    issuer = TokenIssuer(
        key,
        os.environ.get("TEDDY_TOKEN_ISSUER", "teddy-local"),
        os.environ.get("TEDDY_TOKEN_AUDIENCE", "teddy"),
    )
    if not is_subject(subject):
        raise click.UsageError(f"--subject is {SUBJECT_LIMIT}")
    longest = timedelta(seconds=load_settings(TokenLifeSettings).token_most_life_seconds)
    click.echo(issuer.issue(Principal(subject, Role(role)), utc_now(), _life(life, longest)))


def _life(text: str, longest: timedelta) -> timedelta:
    unit, number = LIFE.get(text[-1:]), text[:-1]
    if unit is None or not re.fullmatch(r"[0-9]{1,9}", number) or int(number) == 0:
        raise click.UsageError(f"--life must be a number followed by s, m, h or d, not {text!r}")
    life = timedelta(**{unit: int(number)})
    if life > longest:
        raise click.UsageError(f"--life must be at most {longest} (TEDDY_TOKEN_MOST_LIFE_SECONDS)")
    return life
