"""A viewer's connection by itself: real sockets, and lines that are narrow or long."""

import asyncio
import contextlib
import socket

from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.asyncio.client import connect

from server.web.live import backpressure
from server.web.live.backpressure import EXTENSION, ViewerGoneError, ViewerProtocol
from server.web.live.frames import framed
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
        for _ in ("before it", "after it"):
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


def test_whose_answers_take_longer_than_the_next_ping_is_known_to_answer():
    async def inside():
        let_go = asyncio.Event()

        async def speak(viewer):
            try:
                while True:
                    await viewer.ready(PATIENCE_S)
                    await viewer.tell(framed(b"small"), PATIENCE_S)
                    await asyncio.sleep(0.01)
            except TimeoutError:
                let_go.set()

        async with told_by(speak) as port:
            with Line(port, delay_s=0.3) as line:
                async with connect(f"ws://127.0.0.1:{line.port}/", close_timeout=0.1) as viewer:
                    for _ in range(200):
                        await viewer.recv()
                    # Its line takes everything and brings nothing.
                    line.delay_s = 2 * LIMIT_S
                    await let_go.wait()

    asyncio.run(inside())


def test_little_is_told_before_the_first_answer(monkeypatch):
    monkeypatch.setattr(backpressure, "UNHEARD_S", LIMIT_S)
    told_bytes = []

    async def speak(viewer):
        hear, told = viewer.handle_pong, 0

        def heard(event):
            told_bytes.append(told)
            hear(event)

        viewer.handle_pong = heard
        while not told_bytes or told < 1_000_000:
            await viewer.ready(PATIENCE_S)
            await viewer.tell(framed(bytes(10_000)), PATIENCE_S)
            told += 10_000
        await viewer.send({"type": "websocket.close", "code": 1000})

    async def inside():
        async with told_by(speak) as port:
            with Line(port, delay_s=0.3) as line:
                async with connect(f"ws://127.0.0.1:{line.port}/") as viewer:
                    assert len([text async for text in viewer]) == 100
        assert 0 < told_bytes[0] <= backpressure.UNHEARD_BYTES + 10_000

    asyncio.run(inside())


def test_a_client_that_answers_no_ping_is_not_waited_for_long(monkeypatch):
    monkeypatch.setattr(backpressure, "UNHEARD_S", 0.1)

    async def speak(viewer):
        viewer.handle_pong = lambda _: None
        for _ in range(100):
            await viewer.ready(PATIENCE_S)
            await viewer.tell(framed(bytes(10_000)), PATIENCE_S)
        await viewer.send({"type": "websocket.close", "code": 1000})

    async def inside():
        async with told_by(speak) as port, connect(f"ws://127.0.0.1:{port}/") as viewer:
            assert len([text async for text in viewer]) == 100

    asyncio.run(inside())


def test_a_line_that_breaks_under_a_large_message_is_found_at_once(caplog):
    async def inside():
        told = asyncio.Queue()

        async def speak(viewer):
            await viewer.ready(PATIENCE_S)
            viewer.transport.get_extra_info("socket").shutdown(socket.SHUT_WR)
            try:
                await viewer.tell(framed(bytes(1_000_000)), PATIENCE_S)
            except ViewerGoneError as gone:
                told.put_nowait(gone)

        async with told_by(speak) as port, connect(f"ws://127.0.0.1:{port}/"):
            await told.get()

    asyncio.run(inside())
    # asyncio complains of all that is written after that.
    assert [record.message for record in caplog.records if record.name == "asyncio"] == []
