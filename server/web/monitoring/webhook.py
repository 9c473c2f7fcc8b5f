"""Sending what happens to runs to the address in `HURRAH_WEBHOOK_URL`.

The headers and the signature are those of Standard Webhooks, https://www.standardwebhooks.com.
Events wait in the database until the receiver has answered with a status of 200 to 299. They are
sent one after the other, in the order in which they were stored.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import http.client
import logging
import secrets
import socket
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from server import __version__
from server.corpora.visible_text import without_controls
from server.files.durable import replacing
from server.settings import SECRET_PREFIX, WEBHOOK_SECRET_FILE, Settings, secret_key
from server.spec.live_messages import LiveMessage
from server.store.database import Store
from server.store.executor import StoreExecutor
from server.store.webhook_events import WebhookEvent

__all__ = ["Webhook", "signature", "signing_key"]

log = logging.getLogger(__name__)

SECRET_BYTES = 32
TIMEOUT_S = 10.0
FIRST_DELAY_S = 1.0
MAX_DELAY_S = 600.0
# An event is given up at the first attempt after this time.
MAX_AGE_S = 3 * 86_400


class DeliveryError(Exception):
    """An event was not delivered; the message is the reason, without a full stop."""


class Webhook:
    """A `Publisher` that sends the events which the database collects.

    Parameters
    ----------
    url : str
        The address.
    key : bytes
        Signs what is sent.
    store : StoreExecutor
        The database.
    """

    def __init__(self, url: str, key: bytes, store: StoreExecutor) -> None:
        self._url = url
        self._key = key
        self._store = store
        self._happened = asyncio.Event()

    def publish(self, run: str, message: LiveMessage) -> None:  # noqa: ARG002 - the interface
        """Send what is stored, if the message may be about an event."""
        if message["type"] == "state" or (
            message["type"] == "sample" and message["sample"].hurrahs
        ):
            self._happened.set()

    def is_watched(self, run: str) -> bool:  # noqa: ARG002 - part of the interface
        """Return False: the content of messages is not used."""
        return False

    def restart(self, run: str) -> None:
        """Send nothing."""

    def close(self, run: str) -> None:
        """Send nothing: events of a deleted run that are stored are still sent."""

    @contextlib.asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send the events as they happen, until the end of the block."""
        task = asyncio.create_task(self._send_all())
        task.add_done_callback(_log_error)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _send_all(self) -> None:
        delay_s = FIRST_DELAY_S
        while True:
            self._happened.clear()
            event = await self._store(Store.oldest_event)
            if event is None:
                await self._happened.wait()
                continue
            try:
                await self._send(event)
            except DeliveryError as error:
                if time.time() - event.happened_at <= MAX_AGE_S:
                    if delay_s == FIRST_DELAY_S:
                        log.warning("webhook: %s; the event will be sent again", error)
                    await asyncio.sleep(delay_s)
                    delay_s = min(2 * delay_s, MAX_DELAY_S)
                    continue
                log.error("webhook: %s; the event %s is given up", error, event.id)  # noqa: TRY400
            else:
                if delay_s > FIRST_DELAY_S:
                    log.info("webhook: events are delivered again")
                delay_s = FIRST_DELAY_S
            await self._store(Store.remove_event, event.number)

    async def _send(self, event: WebhookEvent) -> None:
        """Send an event once.

        Raises
        ------
        DeliveryError
            It was not delivered.
        """
        body, timestamp = event.body.encode(), int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Hurrah/{__version__}",
            "webhook-id": event.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._key, event.id, timestamp, body),
        }
        request = _Request(self._url)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                status = await asyncio.to_thread(request.post, body, headers)
        except TimeoutError as error:
            raise DeliveryError(f"no answer within {TIMEOUT_S:.0f} s") from error
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise DeliveryError(_reason(error)) from error
        finally:
            request.abort()
        if 300 <= status < 400:
            raise DeliveryError(f"the answer was {status}, and redirects are not followed")
        if not 200 <= status < 300:
            raise DeliveryError(f"the answer was {status}")


class _Request:
    """One request on a connection of its own. Another thread than that of `post` may abort it."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, headers: dict[str, str]) -> int:
        """Send a body and return the status of the answer, whose body is not read."""
        url = self._url
        secure = url.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        with contextlib.closing(kind(url.hostname or "", url.port, timeout=TIMEOUT_S)) as opened:
            self._connection = opened
            target = f"{url.path or '/'}{'?' if url.query else ''}{url.query}"
            opened.request("POST", target, body, headers)
            return opened.getresponse().status

    def abort(self) -> None:
        """End `post`, if it has not ended: a receiver may answer a byte at a time."""
        sock = None if self._connection is None else self._connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def signature(key: bytes, identity: str, timestamp: int, body: bytes) -> str:
    """Return the value of the header `webhook-signature`."""
    signed = f"{identity}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"


def signing_key(settings: Settings) -> bytes:
    """Return the key of `HURRAH_WEBHOOK_SECRET`, or that in the data directory.

    Raises
    ------
    OSError
        The file in the data directory cannot be read or created.
    ValueError
        The file is damaged.
    """
    secret = settings.webhook_secret
    if secret is None:
        path = settings.data_dir / WEBHOOK_SECRET_FILE
        with contextlib.suppress(FileNotFoundError):
            return secret_key(path.read_text(encoding="ascii").strip())
        secret = f"{SECRET_PREFIX}{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"
        with replacing(path) as file:
            file.write(f"{secret}\n".encode())
    return secret_key(secret)


def _log_error(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("webhook: no event is sent any more", exc_info=error)


def _reason(error: Exception) -> str:
    """Return what went wrong, in a few words and on one line."""
    text = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or str(error)
    return without_controls(text or type(error).__name__)
