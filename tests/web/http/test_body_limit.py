"""Limits on request bodies."""

import asyncio

import pytest

from server.settings import Settings
from server.web.http.body_limit import MAX_BUFFERED_BYTES, BodyLimit
from tests.serving import RunningServer

TOKEN = "sesame"


def test_incomplete_bodies_do_not_fill_the_memory():
    size_bytes = 1_000_000
    count = MAX_BUFFERED_BYTES // (size_bytes - 1) + 1
    answers = []

    async def application(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def scene():
        limited = BodyLimit(application, Settings(max_request_bytes=size_bytes))
        rest, refused = asyncio.Event(), asyncio.Event()

        async def request():
            parts = iter([b" " * (size_bytes - 1), b" "])

            async def receive():
                part = next(parts)
                if len(part) == 1:
                    if len(started) == count:
                        refused.set()
                    await rest.wait()
                started.append(part)
                return {"type": "http.request", "body": part, "more_body": len(part) > 1}

            async def send(message):
                if message["type"] == "http.response.start":
                    answers.append(message["status"])

            scope = {"type": "http", "method": "POST", "path": "/", "operator": True}
            await limited(scope, receive, send)

        started = []
        requests = [asyncio.create_task(request()) for _ in range(count)]
        await refused.wait()
        rest.set()
        await asyncio.gather(*requests)
        # The buffered bytes are released: as many requests are accepted again, one by one.
        started.clear()
        for _ in range(count):
            await request()

    asyncio.run(scene())
    assert sorted(answers) == [200] * (2 * count - 1) + [429]


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """A server with a token and low limits on bodies."""
    limits = {"HURRAH_MAX_REQUEST_BYTES": "3000", "HURRAH_MAX_VIEWER_REQUEST_BYTES": "500"}
    environment = limits | {"HURRAH_OPERATOR_TOKEN": TOKEN}
    with RunningServer(tmp_path_factory.mktemp("narrow"), "--no-demo", **environment) as running:
        yield running


@pytest.mark.parametrize(
    ("headers", "most"), [({}, 500), ({"Authorization": f"Bearer {TOKEN}"}, 3_000)]
)
def test_body_limits_of_operator_and_viewer(narrow, headers, most):
    check = b'{"hidden_size": 2, "sequence_length": 2}'
    headers = headers | {"Content-Type": "application/json"}
    for size_bytes, status in [(most, 200), (most + 1, 413)]:
        answer = narrow.client.post(
            "/api/gradient-check", content=check.ljust(size_bytes), headers=headers
        )
        if status == 200:
            assert answer.status_code == 200
        else:
            assert f"The limit is {most:,} bytes" in narrow.problem(answer, 413)["detail"]
