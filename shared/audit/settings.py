"""Settings of the audit trail and of what is signed."""

from pathlib import Path

from pydantic import Field

from shared.settings import MongoDriverSettings, ObservabilitySettings


class ProofSettings(ObservabilitySettings):
    """With what receipts, heads and evidence are signed and checked."""

    proof_key_file: Path = Field(
        description="Ed25519 private key (PEM, mode 0600) that signs receipts and audit heads."
    )
    proof_keys_file: Path = Field(
        description="JSON Web Key Set with the public keys of all signatures ever made; keys "
        "are only added."
    )


class AuditSettings(MongoDriverSettings, ProofSettings):
    """The audit trail, kept apart from what it records."""

    audit_mongo_url: str = Field(description="MongoDB URL of the audit trail.")
    audit_database: str = Field("teddy_audit", description="Database of the audit trail.")
    audit_heads_file: Path | None = Field(
        None,
        description="File to which signed audit heads are appended, preferably on another "
        "machine's disk. Unset: heads are stored in the database only.",
    )
    audit_head_seconds: float = Field(60.0, gt=0, description="Interval between two signed heads.")
    audit_max_waiting: int = Field(
        10_000,
        ge=1,
        description="Maximum number of audit records waiting for their database; beyond it "
        "requests are refused.",
    )
    audit_wait_seconds: float = Field(
        1.0,
        gt=0,
        lt=30,
        description="Longest time an audit record may wait before reads are refused with "
        "503; also the period whose records a killed process may lose.",
    )
    audit_strict: bool = Field(
        False,
        description="Each read waits until its audit record is durable, so that no record is lost.",
    )
