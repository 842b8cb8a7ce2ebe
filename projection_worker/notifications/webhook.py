"""Webhooks after the Standard Webhooks specification, https://www.standardwebhooks.com.

The body is the alert as JSON and holds nothing personal. It is signed with each secret, so that a
receiver may know the new one, the old one, or both while a secret is changed.
"""

from collections.abc import Sequence
from datetime import UTC

import httpx2
from standardwebhooks import Webhook

from projection_worker.notifications.channels import NotDelivered, alert_of
from projection_worker.notifications.receiver_address import receiver_address
from shared.clock import Clock
from shared.read_models.deliveries import DeliveryDocument
from shared.read_models.notices import AlertNotice

DEFAULT_PORTS = {"https": 443, "http": 80}


class WebhookChannel:
    """Posts to the operator's URL. Redirects are not followed, the answer's body is not read.

    `private`: the URL may lead to an address that is not on the public internet.
    """

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
        if not response.is_success:
            raise NotDelivered(_reason(response.status_code))

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


def _reason(status: int) -> str:
    return f"RedirectNotFollowed {status}" if 300 <= status < 400 else f"Status {status}"
