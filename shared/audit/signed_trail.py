"""The trail with what is signed of it, for files that prove themselves."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.audit.block_check import Report
from shared.audit.head_check import Signatures, read_signatures
from shared.audit.heads import read_file
from shared.audit.port import ReadableTrail
from shared.audit.recent_heads import read_recent
from shared.audit.settings import AuditSettings
from shared.signing import StatementSigner, StatementVerifier, read_jwks, read_signing_key


@dataclass(frozen=True, slots=True)
class SignedTrail:
    """`jwks`: every public key of proofs, goes into each file that is made of it. `heads`: the
    lines of the append-only file of signed heads."""

    store: ReadableTrail
    signer: StatementSigner
    jwks: Mapping[str, Any]
    heads: Iterable[str] = ()

    async def signatures(self, report: Report) -> Signatures:
        """As `read_signatures`."""
        verifier = StatementVerifier(self.jwks)
        return await read_signatures(self.store, verifier, self.heads, report)

    async def recent(self, since: datetime, most: int, report: Report) -> Signatures:
        """As `read_recent`."""
        verifier = StatementVerifier(self.jwks)
        return await read_recent(self.store, verifier, self.heads, since, most, report)


def signed_trail(
    settings: AuditSettings,
    store: ReadableTrail,
    read: Callable[[Path], Iterable[str]] = read_file,
) -> SignedTrail:
    """With the file of heads, where there is one. `lines_of` in place of `read`: it is read when it
    is needed, and never whole. Raises OSError, ValueError, SigningKeyRefused."""
    file = settings.audit_heads_file
    heads = read(file) if file is not None and file.exists() else []
    signer = StatementSigner(read_signing_key(settings.proof_key_file))
    return SignedTrail(store, signer, read_jwks(settings.proof_keys_file), heads)


OpenSignedTrail = Callable[[], SignedTrail]
"""Reads the files of keys and heads, as `signed_trail` does."""
