"""Lists of samples are complete, with only one slice in memory."""

import asyncio
import contextlib
import json

import pytest

from server.runs.supervisor import DATABASE
from server.spec.schemas import Quality, Replay, Sample
from server.store import queries
from server.store.database import Store
from server.web.sample_streaming import (
    CHUNK_BYTES,
    MIN_SAMPLES,
    SLICE_CHARACTERS,
    stream_json_lines,
    stream_json_list,
)
from tests.hostile import raw
from tests.web.live.test_slow_viewers import memory_bytes

LONG = 20_000


def sample(update, text, **more):
    quality = Quality(real_words=0.5, longest_real_run=1, longest_copy=2)
    return Sample(update=update, epoch=1, smooth_loss=None, text=text, quality=quality, **more)


def long_sample(update):
    text = f"{update} é ".ljust(LONG, "x")
    replay = Replay(text=text, quality=Quality(real_words=0.5, longest_real_run=1, longest_copy=2))
    return sample(update, text, replay=replay)


def as_sent(samples):
    return [each.model_dump(mode="json") for each in samples]


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "hurrah.db")
    yield store
    store.close()


async def listed(
    store, characters=SLICE_CHARACTERS, first=0, last=None, chosen=None, *, lines=False
):
    """Return the streamed list, and the lengths of the samples of each slice that was read."""
    slices = []

    def read(first):
        found = queries.sample_slice(
            store, "run", first, last, characters=characters, selected=chosen
        )
        slices.append([len(text) for _, text in found])
        return found

    async def after(update):
        return read(update + 1)

    stream = stream_json_lines if lines else stream_json_list
    pieces = [piece async for piece in stream(read(first), after)]
    assert max(map(len, pieces), default=0) <= CHUNK_BYTES
    content = b"".join(pieces)
    if lines:
        return [json.loads(line) for line in content.splitlines()], slices
    return json.loads(content), slices


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 20])
@pytest.mark.parametrize("characters", [1, 500, 10_000])
def test_all_samples_are_streamed_slice_by_slice(store, count, characters):
    samples = [sample(3 * at, f"é{at}") for at in range(count)]
    for each in samples:
        store.add_sample("run", each)
        store.add_sample("another", each)
    found, slices = asyncio.run(listed(store, characters))
    assert found == as_sent(samples)
    assert all(sum(each) <= characters or len(each) == 1 for each in slices)
    assert asyncio.run(listed(store, characters, lines=True)) == (found, slices)
    found, _ = asyncio.run(listed(store, characters, 4, 30))
    assert [each["update"] for each in found] == [at for at in range(6, 31, 3) if at < 3 * count]
    found, _ = asyncio.run(listed(store, characters, 4, 30, [0, 6, 9, 33]))
    assert [each["update"] for each in found] == [at for at in (6, 9) if at < 3 * count]


def test_a_slice_contains_few_long_samples(store):
    samples = [long_sample(update) for update in range(40)]
    for each in samples:
        store.add_sample("run", each)
    found, slices = asyncio.run(listed(store))
    assert found == as_sent(samples)
    assert max(map(sum, slices)) <= SLICE_CHARACTERS
    assert max(map(len, slices)) < 3


@pytest.mark.parametrize("text", ["\x01" * LONG, "語" * LONG, '"' * LONG])
def test_a_sample_longer_than_a_slice_is_sent_in_chunks(store, text):
    samples = [sample(update, text) for update in range(3)]
    for each in samples:
        store.add_sample("run", each)
    found, slices = asyncio.run(listed(store, 10_000))
    assert found == as_sent(samples)
    assert [len(each) for each in slices] == [1, 1, 1, 0]
    assert asyncio.run(listed(store, 10_000, lines=True)) == (found, slices)


# -- over HTTP ------------------------------------------------------------------------------------


@pytest.fixture
def written(serve):
    """A server with a run that has 300 samples of 20,000 characters, each with its replay."""
    first = serve("--no-demo")
    run = first.create(hidden_size=5, sample_length=LONG, paused=True)
    own = first.get(run, "samples")
    assert first.terminate() == 0
    samples = [long_sample(update) for update in range(1, 301)]
    samples[9].hurrahs = ["Orla"]
    store = Store(first.data_dir / DATABASE)
    for each in samples:
        store.add_sample(run["id"], each)
    store.close()
    server = serve("--no-demo")
    server.the_run, server.the_samples = run, own + as_sent(samples)
    return server


def test_slow_readers_of_long_samples_take_little_memory(written):
    server, run = written, written.the_run
    before = memory_bytes(server)
    with contextlib.ExitStack() as open_:
        slow = [open_.enter_context(raw.connect(server)) for _ in range(8)]
        for connection in slow:
            start = f"GET /api/runs/{run['id']}/samples HTTP/1.1"
            connection.sendall(raw.head(server, start))
        for connection in slow:
            assert connection.recv(1) == b"H"
        assert server.get(run, "samples") == server.the_samples, "and they keep nobody waiting"
        # All requested samples together are four times as large.
        assert memory_bytes(server) - before < 25e6


def test_fewer_long_samples_are_sent_at_once(written):
    server, run, every = written, written.the_run, written.the_samples
    some = server.get(run, "samples", limit=1_000)
    updates = [each["update"] for each in some]
    assert updates == sorted(set(updates))
    assert len(some) == MIN_SAMPLES
    newest = MIN_SAMPLES // 4
    assert some[-newest:] == every[-newest:]
    assert {0, 10} <= set(updates), "the first, and the one with a hurrah"
    by_update = {each["update"]: each for each in every}
    assert some == [by_update[update] for update in updates]
    assert server.get(run, "samples", limit=1) == every[-1:]
    assert len(server.get(run, "samples", limit=2, to=100)) == 2
