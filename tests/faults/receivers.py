"""The receivers of a stack's notifications, in this process: they fail, hang and come back."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from urllib.parse import urlsplit

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.webhook_receiver import WebhookReceiver, webhook_receiver


@dataclass
class Mailbox:
    """`message_ids` of all that was sent to it; `answers` are given in turn, then everything is
    taken. While `answering` is clear, nobody is answered."""

    message_ids: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    answering: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        self.message_ids.append(message_from_bytes(envelope.content)["Message-ID"])
        await self.answering.wait()
        return self.answers.pop(0) if self.answers else "250 OK"


@dataclass(frozen=True, slots=True)
class Receivers:
    webhook: WebhookReceiver
    mailbox: Mailbox

    def hang(self) -> None:
        self.webhook.answering.clear()
        self.mailbox.answering.clear()

    def answer(self) -> None:
        self.webhook.answering.set()
        self.mailbox.answering.set()

    def copies(self) -> tuple[Counter[str], Counter[str]]:
        """How often each webhook and each e-mail was sent, by its id."""
        posted = Counter(headers["webhook-id"] for headers in self.webhook.headers)
        return posted, Counter(self.mailbox.message_ids)


@asynccontextmanager
async def receivers() -> AsyncIterator[Receivers]:
    """Where the stack expects them, see `stack.receivers_of_alerts`."""
    port = urlsplit(os.environ["TEDDY_ALERT_WEBHOOK_URL"]).port or 0
    async with webhook_receiver(port=port) as webhook, _mailbox() as mailbox:
        yield Receivers(webhook, mailbox)


@asynccontextmanager
async def _mailbox() -> AsyncIterator[Mailbox]:
    mailbox = Mailbox()
    mailbox.answering.set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(mailbox, hostname="receiver", loop=loop),
        "127.0.0.1",
        int(os.environ["TEDDY_ALERT_SMTP_PORT"]),
    )
    try:
        yield mailbox
    finally:
        mailbox.answering.set()
        server.close()
