"""Webhooks after the Standard Webhooks specification, https://www.standardwebhooks.com.

The body is the alert as JSON and holds nothing personal. It is signed with each secret, so that a
receiver may know the new one, the old one, or both while a secret is changed. It goes only to
addresses that the operator meant."""

import asyncio
import socket
from collections.abc import Sequence
from datetime import UTC
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx2
from standardwebhooks import Webhook

from projection_worker.notifications.channels import NotDelivered, alert_of
from shared.clock import Clock
from shared.read_models.deliveries import DeliveryDocument
from shared.read_models.notices import AlertNotice

Address = IPv4Address | IPv6Address
NAT64_PREFIX = "64:ff9b::"
GLOBAL_UNICAST = ip_network("2000::/3")
"""All of IPv6 that is given to anybody; the rest is local, or reserved."""

NOT_YET_KNOWN_TO_PYTHON = (ip_network("3fff::/20"), ip_network("192.88.99.0/24"))
"""Documentation (RFC 9637), and relays of 6to4 (RFC 7526): global to `ipaddress` of Python 3.11."""


async def receiver_address(host: str, port: int, *, private: bool) -> Address:
    """An address of `host`. Raises NotDelivered when there is none, or when one of them is not on
    the public internet and `private` ones are not allowed.

    A name is resolved here, every address is judged, and the connection goes to an address that was
    judged: what a name leads to a moment later changes nothing."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotDelivered("ReceiverNotFound") from None
    addresses = [ip_address(str(one[4][0]).partition("%")[0]) for one in found]
    if not addresses:
        raise NotDelivered("ReceiverNotFound")
    if not private and not all(is_public(one) for one in addresses):
        raise NotDelivered("PrivateAddressRefused")
    return addresses[0]


def is_public(address: Address) -> bool:
    """Whether it is reached over the public internet, also where an IPv6 address only wraps one of
    IPv4."""
    if isinstance(address, IPv6Address):
        wrapped = _wrapped(address)
        if wrapped is not None:
            return is_public(wrapped)
        if address not in GLOBAL_UNICAST:
            return False
    if any(address in network for network in NOT_YET_KNOWN_TO_PYTHON):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address in it: mapped, 6to4, Teredo's, or NAT64's."""
    wrapped = address.ipv4_mapped or address.sixtofour
    if wrapped is not None:
        return wrapped
    if address.teredo is not None:
        return address.teredo[1]
    if address.packed[:12] == ip_address(NAT64_PREFIX).packed[:12]:
        return IPv4Address(address.packed[12:])
    return None


DEFAULT_PORTS = {"https": 443, "http": 80}


class WebhookChannel:
    """Posts to the operator's URL. Redirects are not followed, the answer's body is not read.

    `private`: the URL may lead to an address that is not on the public internet."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        url: str,
        secrets: Sequence[str],
        clock: Clock,
        *,
        private: bool = False,
    ) -> None:
        """The first secret is the newest. Raises ValueError for one that is none."""
        self._client = client
        self._url = httpx2.URL(url)
        self._signers = [Webhook(secret) for secret in secrets]
        self._clock = clock
        self._private = private

    async def deliver(self, delivery: DeliveryDocument) -> None:
        body = AlertNotice.of(alert_of(delivery)).to_json()
        request = await self._request(body, self._headers(delivery["_id"], body))
        try:
            response = await self._client.send(request, stream=True, follow_redirects=False)
        except httpx2.HTTPError as error:
            raise NotDelivered(type(error).__name__) from None
        await response.aclose()
        status = response.status_code
        if 300 <= status < 400:
            raise NotDelivered(f"RedirectNotFollowed {status}")
        if not response.is_success:
            raise NotDelivered(f"Status {status}")

    def _headers(self, message_id: str, body: bytes) -> dict[str, str]:
        now = self._clock().astimezone(UTC)
        signed = [one.sign(message_id, now, body.decode()) for one in self._signers]
        return {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signed),
        }

    async def _request(self, body: bytes, headers: dict[str, str]) -> httpx2.Request:
        """To the address that was judged; its certificate is still the name's."""
        url = self._url
        port = url.port or DEFAULT_PORTS[url.scheme]
        address = await receiver_address(url.host, port, private=self._private)
        return self._client.build_request(
            "POST",
            url.copy_with(host=str(address)),
            content=body,
            headers={**headers, "Host": url.netloc.decode("ascii")},
            extensions={"sni_hostname": url.host},
        )


def webhook_client(seconds: float) -> httpx2.AsyncClient:
    """Goes to receivers directly: a proxy that the environment names would connect to whatever the
    name leads to by then. Each alert has a connection of its own, made to the address just judged.
    """
    limits = httpx2.Limits(max_keepalive_connections=0)
    return httpx2.AsyncClient(timeout=seconds, trust_env=False, limits=limits)
