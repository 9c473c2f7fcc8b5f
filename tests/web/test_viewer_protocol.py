"""A viewer's connection by itself: real sockets, and lines that are narrow or long."""

import asyncio
import contextlib

from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.asyncio.client import connect

from server.web.messages import framed
from server.web.viewer_protocol import EXTENSION, ViewerProtocol
from tests.lines import Line
from tests.serving import LIMIT_S

PATIENCE_S = 2.0


@contextlib.asynccontextmanager
async def told_by(speak, **options):
    """A server whose viewers are told what `speak` tells them; its port."""

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await speak(scope["extensions"][EXTENSION])

    config = Config(app, log_level="critical", **options)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ViewerProtocol(config, state, {}), "127.0.0.1", 0)
    async with server, asyncio.timeout(LIMIT_S):
        yield server.sockets[0].getsockname()[1]


def test_a_connection_on_a_slow_line_is_not_taken_for_dead():
    # More than the kernel holds: that much is read even before a goodbye.
    text = "x" * 250_000

    async def speak(viewer):
        await viewer.ready(PATIENCE_S)
        await viewer.tell(framed(text.encode()), PATIENCE_S)
        await viewer.ready(PATIENCE_S)
        await asyncio.sleep(LIMIT_S)

    async def inside():
        # The buffers hold more than is read while an answer to a ping is waited for.
        pings = {"ws_ping_interval": 0.2, "ws_ping_timeout": 0.5}
        async with told_by(speak, **pings) as port:
            with Line(port, bytes_per_s=40_000) as line:
                async with connect(f"ws://127.0.0.1:{line.port}/", ping_interval=None) as viewer:
                    assert await viewer.recv() == text

    asyncio.run(inside())


def test_who_is_slow_is_told_all_there_is_for_one_answer():
    async def speak(viewer):
        answers = asyncio.Queue()
        hear = viewer.handle_pong
        viewer.handle_pong = lambda event: (answers.put_nowait(event), hear(event))
        await viewer.ready(PATIENCE_S)
        await viewer.tell(framed(b"the first"), PATIENCE_S)
        await answers.get()
        for number in range(20):
            viewer.slow = True  # Its last answer came quickly.
            await viewer.ready(PATIENCE_S)
            await viewer.tell(framed(b"%d" % number), PATIENCE_S)
        assert answers.empty()
        viewer.told_all()
        await viewer.ready(PATIENCE_S)
        assert answers.qsize() == 1
        await viewer.send({"type": "websocket.close", "code": 1000})

    async def inside():
        async with told_by(speak) as port, connect(f"ws://127.0.0.1:{port}/") as viewer:
            assert [text async for text in viewer] == ["the first", *map(str, range(20))]
            assert viewer.close_code == 1000

    asyncio.run(inside())
