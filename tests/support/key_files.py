"""Every key file that a process asks for, fresh, and the settings that name them."""

from pathlib import Path

from shared.auth.tokens import LOCAL_KEY_ID
from shared.keyring.key_file import create_key_file
from shared.signing import PROOF_KEY_ID, create_signing_key


def create_key_files(folder: Path) -> dict[str, str]:
    """The `TEDDY_*` variables of the files, now in `folder`; `signing.pem` issues tokens."""
    create_key_file(folder / "keys.json")
    create_signing_key(folder / "signing.pem", folder / "jwks.json", LOCAL_KEY_ID)
    create_signing_key(folder / "proof.pem", folder / "proof-keys.json", PROOF_KEY_ID)
    return {
        "TEDDY_KEY_FILE": str(folder / "keys.json"),
        "TEDDY_JWKS_FILE": str(folder / "jwks.json"),
        "TEDDY_PROOF_KEY_FILE": str(folder / "proof.pem"),
        "TEDDY_PROOF_KEYS_FILE": str(folder / "proof-keys.json"),
    }
