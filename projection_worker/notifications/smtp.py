"""E-mail through the operator's SMTP server, in plain words that say nothing of the child."""

import json
import re
import ssl
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

import aiosmtplib

from projection_worker.notifications.channels import NotDelivered
from shared.clock import Clock, iso
from shared.read_models.deliveries import DeliveryDocument

SmtpSecurity = Literal["starttls", "tls", "none"]
PARENT = "{parent_id}"
ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w.-]{1,255}", re.ASCII)
"""One mailbox and no more: an id must not make a list of them."""

SUBJECT = "A safety alert from Teddy"
PLAIN = """Hello,

there is a new safety alert for your child. Please open the app to see it.

You get this e-mail because your alert settings include e-mail. You can change them in the app.
"""
DETAILS = """
Severity: {severity}
Type: {violation_type}
Reported: {raised_at}
"""
DROPPED_ADDRESSES = (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPRecipientRefused)


@dataclass(frozen=True, slots=True)
class TemplateAddresses:
    """Addresses made of the parent's id, as `{parent_id}@parents.example`: the operator's own mail
    system knows where they lead."""

    template: str

    def address_of(self, parent_id: str) -> str | None:
        return self.template.replace(PARENT, parent_id)


class FileAddresses:
    """A JSON file, `{"parent id": "address"}`, read anew when it changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at: int | None = None
        self._addresses: dict[str, str] = {}

    def address_of(self, parent_id: str) -> str | None:
        """Raises OSError or ValueError: the file cannot be read."""
        changed_at = self._path.stat().st_mtime_ns
        if changed_at != self._read_at:
            content = json.loads(self._path.read_text())
            if not isinstance(content, dict):
                raise ValueError("not an object of parent ids and addresses")
            self._addresses = {str(name): str(address) for name, address in content.items()}
            self._read_at = changed_at
        return self._addresses.get(parent_id)


AddressBook = TemplateAddresses | FileAddresses
"""Whose address is what. The domain holds none: the operator names them."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    host: str
    port: int
    security: SmtpSecurity
    user: str | None = None
    password: str | None = None
    tls: Callable[[], ssl.SSLContext] = ssl.create_default_context


@dataclass(frozen=True, slots=True)
class EmailChannel:
    """`details`: severity, kind and time are in it; otherwise only that there is an alert."""

    server: SmtpServer
    sender: str
    addresses: AddressBook
    clock: Clock
    _: KW_ONLY
    details: bool = False

    async def deliver(self, delivery: DeliveryDocument) -> None:
        message, server = self._message(delivery), self.server
        try:
            await aiosmtplib.send(
                message,
                hostname=server.host,
                port=server.port,
                username=server.user,
                password=server.password,
                use_tls=server.security == "tls",
                start_tls=server.security == "starttls",
                tls_context=None if server.security == "none" else server.tls(),
            )
        except DROPPED_ADDRESSES:
            raise NotDelivered("AddressRefused", of_the_receiver=False) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise NotDelivered(type(error).__name__) from None

    def _message(self, delivery: DeliveryDocument) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self.sender
        message["To"] = self._address(delivery["parent_id"])
        message["Subject"] = SUBJECT
        message["Date"] = format_datetime(self.clock())
        # the same for each attempt, so that mail systems may drop a second copy
        digest = sha256(delivery["_id"].encode()).hexdigest()[:32]
        message["Message-ID"] = f"<{digest}@{self.sender.rpartition('@')[2].rstrip('>')}>"
        message["Auto-Submitted"] = "auto-generated"
        details = DETAILS.format_map({**delivery, "raised_at": iso(delivery["raised_at"])})
        message.set_content(PLAIN + (details if self.details else ""))
        return message

    def _address(self, parent_id: str) -> str:
        try:
            address = self.addresses.address_of(parent_id)
        except (OSError, ValueError):
            raise NotDelivered("AddressesUnreadable") from None
        if address is None or not ADDRESS.fullmatch(address):
            raise NotDelivered("NoAddress", of_the_receiver=False)
        return address
