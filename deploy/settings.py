"""Settings of what operators run."""

from typing import Annotated

from pydantic import AfterValidator, Field

from shared.audit.settings import AuditSettings
from shared.settings import KafkaSettings, KeyStoreSettings, ReadStoreSettings, WriteStoreSettings


class AuditToolSettings(WriteStoreSettings, AuditSettings):
    """`teddy audit` and `teddy evidence`."""


class ErasureToolSettings(
    WriteStoreSettings, ReadStoreSettings, KeyStoreSettings, KafkaSettings, AuditSettings
):
    """`teddy erase`."""


LEAST_ACTIVITY_DAYS, LEAST_DAYS, MOST_DAYS = 366, 30, 36_500


def _for_ever_or_at_least(least: int) -> AfterValidator:
    def check(days: int) -> int:
        if days and not least <= days <= MOST_DAYS:
            raise ValueError(f"must be 0 or between {least} and {MOST_DAYS}")
        return days

    return AfterValidator(check)


class RetentionSettings(ReadStoreSettings, AuditSettings):
    """`teddy retention`: for how many days what is kept. 0: for ever."""

    retention_activity_days: Annotated[int, _for_ever_or_at_least(LEAST_ACTIVITY_DAYS)] = Field(
        400,
        description="Days for which activity is kept in the read models; at least the longest "
        "period of analytics. 0: for ever.",
        json_schema_extra={"allowed": f"0, {LEAST_ACTIVITY_DAYS} to {MOST_DAYS}"},
    )
    retention_alert_days: Annotated[int, _for_ever_or_at_least(LEAST_DAYS)] = Field(
        400,
        description="Days for which alerts are kept in the read models. 0: for ever.",
        json_schema_extra={"allowed": f"0, {LEAST_DAYS} to {MOST_DAYS}"},
    )
    retention_audit_days: Annotated[int, _for_ever_or_at_least(LEAST_DAYS)] = Field(
        730,
        description="Days for which audit records are kept. 0: for ever.",
        json_schema_extra={"allowed": f"0, {LEAST_DAYS} to {MOST_DAYS}"},
    )
