"""Settings of what operators run."""

from pydantic import Field, field_validator

from shared.audit.settings import AuditSettings
from shared.settings import KafkaSettings, KeyStoreSettings, ReadStoreSettings, WriteStoreSettings


class AuditToolSettings(WriteStoreSettings, AuditSettings):
    """`teddy audit` and `teddy evidence`."""


class ErasureToolSettings(
    WriteStoreSettings, ReadStoreSettings, KeyStoreSettings, KafkaSettings, AuditSettings
):
    """`teddy erase`."""


LEAST_ACTIVITY_DAYS, LEAST_DAYS = 366, 30
"""That are kept of activity and of all else, whatever is set."""


class RetentionSettings(ReadStoreSettings, AuditSettings):
    """`teddy retention`: for how many days what is kept. 0: for ever."""

    retention_activity_days: int = Field(
        400,
        description="Days for which activity is kept in the read models; at least 366, the "
        "longest period of analytics. 0: for ever.",
    )
    retention_alert_days: int = Field(
        400,
        description="Days for which alerts are kept in the read models; at least 30. 0: for ever.",
    )
    retention_audit_days: int = Field(
        730, description="Days for which audit records are kept; at least 30. 0: for ever."
    )

    @field_validator("retention_activity_days")
    @classmethod
    def _longest_period_is_whole(cls, days: int) -> int:
        return _for_ever_or_at_least(LEAST_ACTIVITY_DAYS, days)

    @field_validator("retention_alert_days", "retention_audit_days")
    @classmethod
    def _minimum_retention(cls, days: int) -> int:
        return _for_ever_or_at_least(LEAST_DAYS, days)


def _for_ever_or_at_least(least: int, days: int) -> int:
    if days and not least <= days <= 36_500:
        raise ValueError(f"must be 0 or between {least} and 36500")
    return days
