"""Deciding about conversations between child and bear."""

from datetime import datetime

from command_service.domain.child.commands import (
    EndConversation,
    RecordMessage,
    StartConversation,
)
from command_service.domain.child.errors import (
    ConversationIdUsed,
    ConversationNotFound,
    ConversationNotOpen,
)
from command_service.domain.child.preconditions import require_active, require_consent
from command_service.domain.child.state import Child
from shared.events.child import (
    ChildEvent,
    ConsentPurpose,
    ConversationEnded,
    ConversationStarted,
    MessageRecorded,
)


def start_conversation(command: StartConversation, child: Child) -> list[ChildEvent]:
    require_active(child)
    require_consent(child, ConsentPurpose.CONVERSATIONS)
    if command.conversation_id in child.used_conversation_ids:
        raise ConversationIdUsed
    return [
        ConversationStarted(
            child_id=command.child_id,
            at=command.at,
            conversation_id=command.conversation_id,
            topic=command.topic,
        )
    ]


def record_message(command: RecordMessage, child: Child) -> list[ChildEvent]:
    require_active(child)
    require_consent(child, ConsentPurpose.CONVERSATIONS)
    _started_at(child, command.conversation_id)
    return [
        MessageRecorded(
            child_id=command.child_id,
            at=command.at,
            conversation_id=command.conversation_id,
            speaker=command.speaker,
            word_count=command.word_count,
            topic=command.topic,
            flagged_categories=command.flagged_categories,
            learning_skills=command.learning_skills,
        )
    ]


def end_conversation(command: EndConversation, child: Child) -> list[ChildEvent]:
    require_active(child)
    return [
        ConversationEnded(
            child_id=command.child_id,
            at=command.at,
            conversation_id=command.conversation_id,
            started_at=_started_at(child, command.conversation_id),
        )
    ]


def _started_at(child: Child, conversation_id: str) -> datetime:
    """When the open conversation began; raises ConversationNotFound or ConversationNotOpen."""
    started_at = child.open_conversations.get(conversation_id)
    if started_at is not None:
        return started_at
    if conversation_id in child.used_conversation_ids:
        raise ConversationNotOpen
    raise ConversationNotFound
