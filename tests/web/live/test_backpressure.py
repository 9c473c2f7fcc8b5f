"""The viewer protocol over real sockets, with slow and distant connections."""

import asyncio
import contextlib
import socket

from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.asyncio.client import connect

from server.web.live import backpressure
from server.web.live.backpressure import EXTENSION, ViewerGoneError, ViewerProtocol
from server.web.live.frames import split_into_frames
from tests.serving import LIMIT_S
from tests.slow_proxy import SlowProxy


@contextlib.asynccontextmanager
async def serve_viewer(speak, **options):
    """Serve viewers with the coroutine `speak`; yield the port."""

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


def test_a_slow_connection_is_not_closed_as_dead():
    # More than the kernel buffers, which are read even before a close frame.
    text = "x" * 200_000

    async def speak(viewer):
        await viewer.wait_until_ready(LIMIT_S)
        await viewer.send_frames(split_into_frames(text.encode()), LIMIT_S)
        await viewer.wait_until_ready(LIMIT_S)
        await asyncio.sleep(LIMIT_S)

    async def inside():
        # The buffers contain more than is read within the ping timeout. A process that stalls for
        # less than the timeout changes nothing.
        pings = {"ws_ping_interval": 0.1, "ws_ping_timeout": 4.0}
        async with serve_viewer(speak, **pings) as port:
            with SlowProxy(port, bytes_per_s=16_000) as line:
                async with connect(f"ws://127.0.0.1:{line.port}/", ping_interval=None) as viewer:
                    assert await viewer.recv() == text

    asyncio.run(inside())


def test_a_slow_viewer_gets_many_messages_per_ping():
    async def speak(viewer):
        answers = asyncio.Queue()
        hear = viewer.handle_pong
        viewer.handle_pong = lambda event: (answers.put_nowait(event), hear(event))
        await viewer.wait_until_ready(LIMIT_S)
        await viewer.send_frames(split_into_frames(b"the first"), LIMIT_S)
        for _ in ("before it", "after it"):
            await answers.get()
        for number in range(20):
            viewer.slow = True  # Its last answer came quickly.
            await viewer.wait_until_ready(LIMIT_S)
            await viewer.send_frames(split_into_frames(b"%d" % number), LIMIT_S)
        assert answers.empty()
        viewer.ping_if_slow()
        await viewer.wait_until_ready(LIMIT_S)
        assert answers.qsize() == 1
        await viewer.send({"type": "websocket.close", "code": 1000})

    async def inside():
        async with serve_viewer(speak) as port, connect(f"ws://127.0.0.1:{port}/") as viewer:
            assert [text async for text in viewer] == ["the first", *map(str, range(20))]
            assert viewer.close_code == 1000

    asyncio.run(inside())


def test_pongs_later_than_the_next_ping_count():
    async def inside():
        disconnected, timeout_changed = asyncio.Event(), asyncio.Event()
        timeout_s = LIMIT_S

        async def speak(viewer):
            try:
                while True:
                    if timeout_s < LIMIT_S:
                        timeout_changed.set()
                    await viewer.wait_until_ready(timeout_s)
                    await viewer.send_frames(split_into_frames(b"small"), timeout_s)
                    await asyncio.sleep(0.01)
            except TimeoutError:
                disconnected.set()

        async with serve_viewer(speak) as port:
            with SlowProxy(port, delay_s=0.3) as line:
                async with connect(f"ws://127.0.0.1:{line.port}/", close_timeout=0.1) as viewer:
                    for _ in range(200):
                        await viewer.recv()
                    timeout_s = 1.0
                    await timeout_changed.wait()
                    # The proxy accepts everything and delivers nothing.
                    line.delay_s = 2 * LIMIT_S
                    await disconnected.wait()

    asyncio.run(inside())


def test_little_is_sent_before_the_first_pong(monkeypatch):
    monkeypatch.setattr(backpressure, "FIRST_PONG_TIMEOUT_S", LIMIT_S)
    bytes_at_pong = []

    async def speak(viewer):
        handle_pong, sent_bytes = viewer.handle_pong, 0

        def record_pong(event):
            bytes_at_pong.append(sent_bytes)
            handle_pong(event)

        viewer.handle_pong = record_pong
        while not bytes_at_pong or sent_bytes < 1_000_000:
            await viewer.wait_until_ready(LIMIT_S)
            await viewer.send_frames(split_into_frames(bytes(10_000)), LIMIT_S)
            sent_bytes += 10_000
        await viewer.send({"type": "websocket.close", "code": 1000})

    async def inside():
        async with serve_viewer(speak) as port:
            with SlowProxy(port, delay_s=0.3) as line:
                async with connect(f"ws://127.0.0.1:{line.port}/") as viewer:
                    assert len([text async for text in viewer]) == 100
        assert 0 < bytes_at_pong[0] <= backpressure.BYTES_BEFORE_PONG + 10_000

    asyncio.run(inside())


def test_a_client_without_pongs_is_not_waited_for_long(monkeypatch):
    monkeypatch.setattr(backpressure, "FIRST_PONG_TIMEOUT_S", 0.1)

    async def speak(viewer):
        viewer.handle_pong = lambda _: None
        for _ in range(100):
            await viewer.wait_until_ready(LIMIT_S)
            await viewer.send_frames(split_into_frames(bytes(10_000)), LIMIT_S)
        await viewer.send({"type": "websocket.close", "code": 1000})

    async def inside():
        async with serve_viewer(speak) as port, connect(f"ws://127.0.0.1:{port}/") as viewer:
            assert len([text async for text in viewer]) == 100

    asyncio.run(inside())


def test_a_connection_broken_during_a_message_is_noticed_at_once(caplog):
    async def inside():
        errors = asyncio.Queue()

        async def speak(viewer):
            await viewer.wait_until_ready(LIMIT_S)
            viewer.transport.get_extra_info("socket").shutdown(socket.SHUT_WR)
            try:
                await viewer.send_frames(split_into_frames(bytes(1_000_000)), LIMIT_S)
            except ViewerGoneError as gone:
                errors.put_nowait(gone)

        async with serve_viewer(speak) as port, connect(f"ws://127.0.0.1:{port}/"):
            await errors.get()

    asyncio.run(inside())
    # asyncio logs a warning for every write after that.
    assert [record.message for record in caplog.records if record.name == "asyncio"] == []
