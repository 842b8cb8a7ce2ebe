"""Conversations between child and bear."""

from dataclasses import replace
from datetime import datetime
from heapq import nsmallest
from typing import assert_never

from command_service.child.account import require_active, require_consent
from command_service.child.commands import (
    ConversationCommand,
    EndConversation,
    RecordMessage,
    StartConversation,
)
from command_service.child.errors import (
    ConversationIdUsed,
    ConversationNotFound,
    ConversationNotOpen,
)
from command_service.child.state import Child
from shared.events.child import (
    ChildEvent,
    ConsentPurpose,
    ConversationEnded,
    ConversationEvent,
    ConversationStarted,
    MessageRecorded,
)

OPEN_CONVERSATIONS = 100
"""Of one child at a time: the start of one more ends the one that was left open longest."""

ENDED_AT_ONCE = 25
"""At most by one start, for a child that has more open from before this limit."""


def decide(command: ConversationCommand, child: Child) -> list[ChildEvent]:
    match command:
        case StartConversation():
            return _start(command, child)
        case RecordMessage():
            return _record_message(command, child)
        case EndConversation():
            return _end(command, child)
        case _:
            assert_never(command)


def evolve(child: Child, event: ConversationEvent) -> Child:
    match event:
        case ConversationStarted():
            now_open = child.open_conversations.insert(event.conversation_id, event.at)
            return replace(child, open_conversations=now_open)
        case MessageRecorded():
            return child
        case ConversationEnded():
            return replace(
                child,
                open_conversations=child.open_conversations.discard(event.conversation_id),
                ended_conversations=child.ended_conversations.insert(event.conversation_id, None),
            )
        case _:
            assert_never(event)


def _start(command: StartConversation, child: Child) -> list[ChildEvent]:
    require_active(child)
    require_consent(child, ConsentPurpose.CONVERSATIONS)
    if child.had_conversation(command.conversation_id):
        raise ConversationIdUsed
    return [
        *_left_open_too_long(command, child),
        ConversationStarted(
            child_id=command.child_id,
            at=command.at,
            conversation_id=command.conversation_id,
            topic=command.topic,
        ),
    ]


def _left_open_too_long(command: StartConversation, child: Child) -> list[ChildEvent]:
    """The ends that make room for one more: a bear is never refused for those that lost theirs."""
    too_many = len(child.open_conversations) - OPEN_CONVERSATIONS + 1
    if too_many <= 0:
        return []
    starts = ((at, talk) for talk, at in child.open_conversations.items())
    return [
        ConversationEnded(
            child_id=command.child_id, at=command.at, conversation_id=talk, started_at=started_at
        )
        for started_at, talk in nsmallest(min(too_many, ENDED_AT_ONCE), starts)
    ]


def _record_message(command: RecordMessage, child: Child) -> list[ChildEvent]:
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


def _end(command: EndConversation, child: Child) -> list[ChildEvent]:
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
    if conversation_id in child.ended_conversations:
        raise ConversationNotOpen
    raise ConversationNotFound
