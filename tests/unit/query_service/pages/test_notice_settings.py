"""What an operator says about consent on the pages."""

from typing import Any

import pytest
from pydantic import ValidationError

from query_service.settings import QuerySettings
from tests.support.query_side import QuerySide

WHOLE = {
    "pages_notice_version": "2026-11",
    "pages_notice_url": "https://provider.example/privacy",
    "pages_consent_method": "video_call",
}


def settings(side: QuerySide, **given: Any) -> QuerySettings:
    return QuerySettings.model_validate(side.settings.model_dump(exclude_defaults=True) | given)


def test_a_notice_has_a_version_a_place_and_a_method(side: QuerySide):
    assert settings(side).pages_notice_version is None
    assert settings(side, **WHOLE).pages_consent_method == "video_call"


@pytest.mark.parametrize("missing", WHOLE)
def test_half_a_notice_is_refused(side: QuerySide, missing: str):
    with pytest.raises(ValidationError, match="or none of them"):
        settings(side, **{name: value for name, value in WHOLE.items() if name != missing})


@pytest.mark.parametrize(
    "wrong",
    [
        {"pages_notice_version": "x" * 33},
        {"pages_notice_version": "two words"},
        {"pages_notice_url": "javascript:alert(1)"},
        {"pages_consent_method": "a_click"},
    ],
)
def test_a_notice_that_cannot_be_meant_is_refused(side: QuerySide, wrong: dict[str, str]):
    with pytest.raises(ValidationError):
        settings(side, **(WHOLE | wrong))
