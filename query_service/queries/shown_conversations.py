"""Conversations as answers show them: those that nobody ended, too."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import cast

from shared.read_models.documents import ConversationDocument
from shared.read_models.engagement import conversation_engagement
from shared.read_models.minutes import minutes_between, over_at


def as_of(document: ConversationDocument, now: datetime, limit: timedelta) -> ConversationDocument:
    """One that nobody ended as lasting until `now`; ended `limit` after its start, if that is
    over."""
    if document["ended_at"] is not None:
        return document
    started_at = document["started_at"]
    over = over_at(started_at, now, limit)
    minutes = minutes_between(started_at, over)
    shown = cast(ConversationDocument, {**document})
    shown["ended_at"] = None if now - started_at < limit else over
    shown["duration_minutes"] = minutes
    shown["engagement_score"] = conversation_engagement(document["message_count"], minutes)
    return shown


def goes_on(shown: Iterable[ConversationDocument]) -> bool:
    """Whether any of them does: what is told of it is soon too old."""
    return any(one["ended_at"] is None for one in shown)
