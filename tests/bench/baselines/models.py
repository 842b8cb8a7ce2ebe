"""The models of the command API for a plain FastAPI endpoint.

FastAPI checks what it has parsed already: an enum is a text then, and a tuple a list.
"""

from pydantic import ConfigDict

from command_service.api import children, conversations

PARSED = ConfigDict(strict=False)


class RegistrationConsent(children.RegistrationConsent):
    model_config = PARSED


class Registration(children.Registration):
    model_config = PARSED

    consents: tuple[RegistrationConsent, ...]


class Message(conversations.MessageBody):
    model_config = PARSED
