"""/children/{child_id}/conversations: what the bear reports. Never the text of a message."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from command_service.api.command_route import CommandRequest, CommandRoute
from command_service.api.openapi import UUID, between, documented, entries, optional
from command_service.child.commands import EndConversation, RecordMessage, StartConversation
from command_service.child.field_checks import LABEL, LABELS, WORD_COUNT
from shared.events.child import Speaker
from shared.http.bodies import RequestBody
from shared.http.request_checks import ChildId, ConversationId

router = APIRouter(route_class=CommandRoute, tags=["conversations"])

Topic = Annotated[
    str | None,
    Field(
        description=f"What it is about, {LABEL} characters.",
        examples=["dinosaurs"],
        json_schema_extra=optional(LABEL),
    ),
]


class ConversationStart(RequestBody):
    conversation_id: str | None = Field(
        None,
        description="A UUID chosen by the caller; generated if absent.",
        examples=["0b8f5a4e-9a57-4c3b-8d55-1f0a3c1d2e4f"],
        json_schema_extra=UUID,
    )
    topic: Topic = None


class MessageBody(RequestBody):
    role: Speaker = Field(description="Who spoke.", examples=["child"])
    word_count: int = Field(
        description="Number of words; the text itself is never sent.",
        examples=[12],
        json_schema_extra=between(WORD_COUNT),
    )
    topic: Topic = None
    flagged_categories: tuple[str, ...] = Field(
        (),
        description="Categories for which the message should be reviewed; empty: none.",
        examples=[["personal_information"]],
        json_schema_extra=entries(LABELS, of=LABEL),
    )
    learning_skills: tuple[str, ...] = Field(
        (),
        description="What the child practised with it.",
        examples=[["vocabulary"]],
        json_schema_extra=entries(LABELS, of=LABEL),
    )


@router.post("/children/{child_id}/conversations", **documented(404, 409, 410, success=201))
def start_conversation(
    child_id: ChildId, body: ConversationStart, request: CommandRequest
) -> StartConversation:
    """Begin a conversation. Of a child with 100 open ones the one that was left open longest ends
    with it."""
    chosen = body.conversation_id
    return StartConversation(
        child_id=child_id,
        at=request.at,
        conversation_id=request.id_for("conversation") if chosen is None else chosen,
        topic=body.topic,
    )


@router.post(
    "/children/{child_id}/conversations/{conversation_id}/messages",
    **documented(404, 409, 410, success=201),
)
def record_message(
    child_id: ChildId, conversation_id: ConversationId, body: MessageBody, request: CommandRequest
) -> RecordMessage:
    """Record that a message was exchanged: who spoke, how long, about what."""
    return RecordMessage(
        child_id=child_id,
        at=request.at,
        conversation_id=conversation_id,
        speaker=body.role,
        word_count=body.word_count,
        topic=body.topic,
        flagged_categories=body.flagged_categories,
        learning_skills=body.learning_skills,
    )


@router.post(
    "/children/{child_id}/conversations/{conversation_id}/end", **documented(404, 409, 410)
)
def end_conversation(
    child_id: ChildId, conversation_id: ConversationId, request: CommandRequest
) -> EndConversation:
    """End a conversation."""
    return EndConversation(child_id=child_id, at=request.at, conversation_id=conversation_id)
