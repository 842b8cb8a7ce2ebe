"""On a real SMTP server."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from projection_worker.notifications.channels import NotDelivered
from projection_worker.notifications.smtp import (
    AddressBook,
    EmailChannel,
    FileAddresses,
    SmtpServer,
    TemplateAddresses,
)
from shared.clock import utc_now
from tests.support.authority import Authority, create_authority
from tests.support.deliveries import delivery
from tests.support.ports import free_port

SENDER = "alerts@teddy.example"
FAMILIES = TemplateAddresses("{parent_id}@parents.example")


@dataclass
class Mailbox:
    """What a server took; `answer` is what it says to each e-mail."""

    received: list[tuple[list[str], Message]] = field(default_factory=list)
    answer: str = "250 OK"
    recipients: str = "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.recipients.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipients

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        if self.answer.startswith("250"):
            self.received.append((list(envelope.rcpt_tos), message_from_bytes(content)))
        return self.answer


@contextmanager
def smtp_server(mailbox: Mailbox, **how: Any) -> Iterator[int]:
    server = Controller(mailbox, hostname="127.0.0.1", port=free_port(), **how)
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


def channel(port: int, addresses: AddressBook = FAMILIES, **more: Any) -> EmailChannel:
    details = more.pop("details", False)
    server = SmtpServer("127.0.0.1", port, **{"security": "none", **more})
    return EmailChannel(server, SENDER, addresses, utc_now, details=details)


async def sent(mailbox: Mailbox, addresses: AddressBook = FAMILIES, **more: Any) -> Message:
    with smtp_server(mailbox) as port:
        await channel(port, addresses, **more).deliver(delivery("email"))
    ((_, message),) = mailbox.received
    return message


async def refused(mailbox: Mailbox, addresses: AddressBook = FAMILIES) -> NotDelivered:
    with smtp_server(mailbox) as port, pytest.raises(NotDelivered) as said:
        await channel(port, addresses).deliver(delivery("email"))
    return said.value


async def test_a_parent_gets_an_e_mail_that_says_nothing_of_the_child():
    mailbox = Mailbox()

    message = await sent(mailbox)

    assert mailbox.received[0][0] == ["parent-1@parents.example"]
    assert message["From"] == SENDER
    text = message.as_string()
    for personal in ("mia", "bullying", "high", "violation-1"):
        assert personal not in text
    assert "open the app" in text


async def test_details_are_told_where_the_operator_wants_it_and_each_attempt_is_the_same_message():
    text = (await sent(Mailbox(), details=True)).as_string()

    assert "Severity: high" in text
    assert "Type: bullying" in text
    first, second = await sent(Mailbox()), await sent(Mailbox())

    assert first["Message-ID"] == second["Message-ID"]


async def test_addresses_come_from_a_file_that_is_read_anew(tmp_path: Path):
    book = tmp_path / "addresses.json"
    book.write_text(json.dumps({"parent-1": "ada@old.example"}))
    addresses, mailbox = FileAddresses(book), Mailbox()
    await sent(mailbox, addresses)
    mailbox.received.clear()
    # when the parent moves
    book.write_text(json.dumps({"parent-1": "ada@a-new-place.example"}))
    await sent(mailbox, addresses)
    # then
    assert mailbox.received[0][0] == ["ada@a-new-place.example"]


@pytest.mark.parametrize(
    "address", ["", "no-address", "a@b.example, c@d.example", "a@b.example\nBcc: c@d.example"]
)
async def test_who_has_no_address_is_their_own_trouble(tmp_path: Path, address: str):
    book = tmp_path / "addresses.json"
    book.write_text(json.dumps({"parent-1": address}))

    said = await refused(Mailbox(), FileAddresses(book))

    assert (said.reason, said.of_the_receiver) == ("NoAddress", False)


async def test_addresses_that_cannot_be_read_are_everybodys_trouble_and_a_refused_one_its_owners(
    tmp_path: Path,
):
    said = await refused(Mailbox(), FileAddresses(tmp_path / "none.json"))

    assert (said.reason, said.of_the_receiver) == ("AddressesUnreadable", True)
    said = await refused(Mailbox(recipients="550 no such user ada@parents.example"))

    assert (said.reason, said.of_the_receiver) == ("AddressRefused", False)


async def test_a_server_that_takes_nothing_is_everybodys_trouble():
    said = await refused(Mailbox(answer="451 try again, parent-1"))

    assert said.of_the_receiver
    assert "parent-1" not in said.reason


async def test_nobody_listening_is_a_failure():
    with pytest.raises(NotDelivered, match="SMTPConnectError"):
        await channel(free_port()).deliver(delivery("email"))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return create_authority(tmp_path / "tls")


def server_tls(authority: Authority) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.server_file)
    return context


async def test_with_starttls_the_password_goes_over_tls_only(authority: Authority):
    # given
    mailbox, said = Mailbox(), []

    def login(server: Any, session: Session, envelope: Envelope, how: str, data: Any) -> AuthResult:
        said.append((data.login, data.password, session.ssl is not None))
        return AuthResult(success=True)

    how = {"tls_context": server_tls(authority), "require_starttls": True, "authenticator": login}
    trusted = ssl.create_default_context(cafile=authority.ca_file)
    # when
    with smtp_server(mailbox, **how) as port:
        login_as: dict[str, Any] = {"user": "teddy", "password": "pass", "tls": lambda: trusted}
        await channel(port, security="starttls", **login_as).deliver(delivery("email"))
    # then
    assert said == [(b"teddy", b"pass", True)]
    assert len(mailbox.received) == 1


async def test_tls_from_the_beginning(authority: Authority):
    mailbox = Mailbox()
    trusted = ssl.create_default_context(cafile=authority.ca_file)

    with smtp_server(mailbox, ssl_context=server_tls(authority)) as port:
        await channel(port, security="tls", tls=lambda: trusted).deliver(delivery("email"))

    assert len(mailbox.received) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_server_that_nobody_vouches_for_gets_nothing(authority: Authority, security: str):
    mailbox = Mailbox()
    key = "ssl_context" if security == "tls" else "tls_context"

    with smtp_server(mailbox, **{key: server_tls(authority)}) as port, pytest.raises(NotDelivered):
        await channel(port, security=security).deliver(delivery("email"))

    assert mailbox.received == []


async def test_without_starttls_nothing_is_sent_in_clear():
    mailbox = Mailbox()

    with smtp_server(mailbox) as port, pytest.raises(NotDelivered):
        await channel(port, security="starttls").deliver(delivery("email"))

    assert mailbox.received == []
