"""Requests whose client has disconnected, and responses of which only the headers are needed."""

import asyncio

import pytest
from starlette.responses import StreamingResponse

from server.web.http.request_cancellation import RequestCancellation

PART = {"type": "http.request", "body": b"{", "more_body": True}
END = {"type": "http.request", "body": b"}", "more_body": False}


class Client:
    """A client that sends its body and then disconnects when it is told to."""

    def __init__(self, method="GET", path="/api/runs", body=None):
        headers = [] if body is None else [(b"transfer-encoding", b"chunked")]
        self.scope = {"type": "http", "method": method, "path": path, "headers": headers}
        self._parts = list(body or [END | {"body": b""}])
        self.leaves = asyncio.Event()
        self.sent = []

    async def receive(self):
        if self._parts:
            return self._parts.pop(0)
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        self.sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            # As uvicorn does.
            self.leaves.set()


class Application:
    """An application that reads the body and works until it is told to respond."""

    def __init__(self):
        self.working, self.responds = asyncio.Event(), asyncio.Event()
        self.body, self.cancelled, self.ended = b"", False, False

    async def __call__(self, scope, receive, send):
        try:
            more = True
            while more:
                message = await receive()
                self.body += message["body"]
                more = message["more_body"]
            self.working.set()
            await self.responds.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"done"})
            await asyncio.sleep(0.01)
            self.ended = True
        except asyncio.CancelledError:
            self.cancelled = True
            raise


READING = [
    ("GET", "/api/runs", None),
    ("HEAD", "/api/runs", None),
    ("POST", "/api/runs/x/passages", [PART, END]),
    ("POST", "/api/gradient-check", [PART, PART, END]),
    ("POST", "/api/gradient-check/steps", None),
    ("POST", "/api/course/mistakes", [END]),
    ("POST", "/api/estimate", [END]),
]
CHANGING = [
    ("POST", "/api/runs", [PART, END]),
    ("POST", "/api/runs/x/checkpoints", None),
    ("POST", "/api/runs/x/passages/y", None),
    ("PATCH", "/api/runs/x", [END]),
    ("DELETE", "/api/runs/x", None),
]


@pytest.mark.parametrize(("method", "path", "body"), READING)
def test_work_for_a_client_that_has_left_is_cancelled(method, path, body):
    async def scene():
        client, application = Client(method, path, body), Application()
        request = asyncio.create_task(
            RequestCancellation(application)(client.scope, client.receive, client.send)
        )
        await application.working.wait()
        assert application.body == b"".join(part["body"] for part in body or [])
        client.leaves.set()
        await request
        assert application.cancelled
        assert client.sent == []

    asyncio.run(scene())


@pytest.mark.parametrize(("method", "path", "body"), CHANGING)
def test_a_change_is_carried_out_for_a_client_that_has_left(method, path, body):
    async def scene():
        client, application = Client(method, path, body), Application()
        request = asyncio.create_task(
            RequestCancellation(application)(client.scope, client.receive, client.send)
        )
        await application.working.wait()
        client.leaves.set()
        application.responds.set()
        await request
        assert application.ended

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("method", "path", "body"), [each for each in READING if each[0] != "HEAD"]
)
def test_nothing_is_cancelled_after_the_response(method, path, body):
    """Files are closed then, for example, and the server reports a disconnection."""

    async def scene():
        client, application = Client(method, path, body), Application()
        application.responds.set()
        await RequestCancellation(application)(client.scope, client.receive, client.send)
        assert application.ended
        assert [message["type"] for message in client.sent] == [
            "http.response.start",
            "http.response.body",
        ]

    asyncio.run(scene())


def test_a_client_that_leaves_while_it_sends_is_noticed():
    async def scene():
        client, application = Client("POST", "/api/gradient-check", [PART]), Application()
        client.leaves.set()
        with pytest.raises(KeyError):
            # The application receives the disconnection, which has no body.
            await RequestCancellation(application)(client.scope, client.receive, client.send)

    asyncio.run(scene())


def test_the_body_of_a_response_to_head_is_not_computed():
    computed = []

    async def rows():
        for row in range(1_000):
            computed.append(row)
            yield f"{row}\n"
            await asyncio.sleep(0)

    async def application(scope, receive, send):
        assert scope["method"] == "GET"
        await StreamingResponse(rows(), headers={"X-Kind": "rows"})(scope, receive, send)

    async def scene():
        client = Client("HEAD", "/api/runs/x/losses.csv")
        await RequestCancellation(application)(client.scope, client.receive, client.send)
        start, end = client.sent
        assert (start["status"], dict(start["headers"])[b"x-kind"]) == (200, b"rows")
        assert (end["body"], end["more_body"]) == (b"", False)

    asyncio.run(scene())
    assert len(computed) <= 1


def test_an_error_of_the_application_is_raised():
    async def application(_scope, _receive, _send):
        raise ValueError("broken")

    async def scene():
        client = Client()
        with pytest.raises(ValueError, match="broken"):
            await RequestCancellation(application)(client.scope, client.receive, client.send)

    asyncio.run(scene())
