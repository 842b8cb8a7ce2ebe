import asyncio
import ssl
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import orjson
import pytest
from standardwebhooks import Webhook

from projection_worker.notifications.channels import NotDelivered
from projection_worker.notifications.webhook import WebhookChannel, is_public, webhook_client
from shared.clock import utc_now
from tests.support.authority import create_authority
from tests.support.deliveries import delivery
from tests.support.ports import free_port
from tests.support.webhook_receiver import SECRET, WebhookReceiver, answer, webhook_receiver

OLD_SECRET = "whsec_" + "b2xkLXNlY3JldC1vZi10aGUtdGVzdHMtMTIzNA=="


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with webhook_receiver() as receiver:
        yield receiver


async def post(url: str, *, private: bool = True, seconds: float = 10.0) -> None:
    async with webhook_client(seconds) as client:
        channel = WebhookChannel(client, url, [SECRET, OLD_SECRET], utc_now, private=private)
        await channel.deliver(delivery())


async def refused(url: str, **how: Any) -> str:
    with pytest.raises(NotDelivered) as said:
        await post(url, **how)
    return said.value.reason


async def test_an_alert_is_signed_as_the_specification_says(receiver: WebhookReceiver):
    await post(receiver.url)  # the receiver verifies the signature of the newest secret

    (notified,), (headers,) = receiver.received, receiver.headers
    assert notified["alert_id"] == "mia@2:threshold"
    assert headers["webhook-id"] == "mia@2:threshold:webhook"
    assert abs(utc_now().timestamp() - int(headers["webhook-timestamp"])) < 60
    assert headers["host"] == receiver.url.removeprefix("http://").removesuffix("/alerts")


async def test_while_a_secret_is_changed_both_verify(receiver: WebhookReceiver):
    await post(receiver.url)

    (headers,) = receiver.headers
    assert len(headers["webhook-signature"].split(" ")) == 2
    body = orjson.dumps(receiver.received[0])
    assert Webhook(OLD_SECRET).verify(body, headers) == receiver.received[0]


@pytest.mark.parametrize("status", [400, 410, 500, 503])
async def test_an_error_of_the_receiver_is_none_of_its_words(
    receiver: WebhookReceiver, status: int
):
    receiver.answers.append(answer(status, "X-Secret: never logged"))

    assert await refused(receiver.url) == f"Status {status}"


async def test_a_redirect_is_not_followed(receiver: WebhookReceiver):
    receiver.answers.append(answer(307, f"Location: {receiver.url}/elsewhere"))

    assert await refused(receiver.url) == "RedirectNotFollowed 307"
    assert len(receiver.received) == 1


async def test_an_endless_answer_is_not_read(receiver: WebhookReceiver):
    endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"5\r\nabcde\r\n" * 10
    receiver.answers.append(endless)

    await post(receiver.url)

    assert len(receiver.received) == 1


async def test_a_receiver_that_hangs_or_does_not_listen_is_left(receiver: WebhookReceiver):
    receiver.answering.clear()

    assert await refused(receiver.url, seconds=2.0) == "ReadTimeout"
    assert await refused(f"http://127.0.0.1:{free_port()}/") == "ConnectError"


async def test_a_receiver_that_nobody_vouches_for_gets_nothing(tmp_path: Path):
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(create_authority(tmp_path).server_file)

    async with webhook_receiver(tls) as receiver:
        assert await refused(receiver.url) == "ConnectError"

    assert receiver.received == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.7", "169.254.169.254"])
async def test_private_addresses_are_refused_unless_they_are_allowed(host: str):
    assert await refused(f"https://{host}/", private=False) == "PrivateAddressRefused"


async def test_a_name_is_refused_when_one_of_its_addresses_is_private(
    monkeypatch: pytest.MonkeyPatch,
):
    # given a name that leads to a public and to a private address
    async def both(*_: object, **__: object) -> list[Any]:
        return [(0, 0, 0, "", (address, 443)) for address in ("93.184.215.14", "10.0.0.7")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)

    assert await refused("https://receiver.example/", private=False) == "PrivateAddressRefused"


async def test_the_connection_goes_to_the_address_that_was_judged(
    receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
):
    # given a name that exists nowhere and is resolved once
    asked: list[object] = []

    async def once(*asked_for: object, **__: object) -> list[Any]:
        asked.append(asked_for[0])
        return [(0, 0, 0, "", ("127.0.0.1", 0))]

    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo

    async def names(host: Any, *more: Any, **named: Any) -> Any:
        answer = once if host == "receiver.invalid" else resolve
        return await answer(host, *more, **named)

    monkeypatch.setattr(loop, "getaddrinfo", names)

    await post(receiver.url.replace("127.0.0.1", "receiver.invalid"))

    assert asked == ["receiver.invalid"]
    assert receiver.headers[0]["host"].startswith("receiver.invalid:")


PUBLIC = ("93.184.215.14", "2606:2800:21f::1", "64:ff9b::5db8:d70e")
NOT_PUBLIC = (
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "0.0.0.0", "224.0.0.1", "255.255.255.255", "192.88.99.1", "198.18.0.1",
    "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "2002:0a00:0001::1", "64:ff9b::a00:1",
    "64:ff9b:1::a00:1", "fec0::1", "::127.0.0.1", "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    "3fff::1", "4000::1", "ff0e::1",
)  # fmt: skip


@pytest.mark.parametrize("address", [*PUBLIC, *NOT_PUBLIC])
def test_only_addresses_of_the_public_internet_are_public(address: str):
    assert is_public(ip_address(address)) == (address in PUBLIC)
