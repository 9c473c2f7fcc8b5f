"""Concurrent uploads."""

import asyncio
import threading

import pytest

from server.corpora import uploads as uploads_module
from server.corpora.uploads import Uploads
from server.files.storage_quota import StorageQuota


class Library:
    """Records the order of events."""

    def __init__(self):
        self.happened = []

    def list(self):
        return []

    def add(self, data, name, encoding, *, leave_out_licence, is_cancelled):
        self.happened.append(("added", name))
        return data


def test_uploads_are_processed_one_at_a_time(tmp_path):
    library = Library()

    async def scene():
        uploads = Uploads(library, StorageQuota(tmp_path, None), 100)

        def bringing(name):
            async def read():
                library.happened.append(("read", name))
                await asyncio.sleep(0)
                return b"x"

            return uploads.add(read, name)

        await asyncio.gather(*map(bringing, "abcdefg"))

    asyncio.run(scene())
    assert library.happened == [(what, name) for name in "abcdefg" for what in ("read", "added")]


def test_a_cancelled_upload_is_not_stored(tmp_path):
    describing, end, told = threading.Event(), threading.Event(), []

    class Slow(Library):
        def add(self, data, name, encoding, *, leave_out_licence, is_cancelled):
            describing.set()
            end.wait(30)
            told.append(is_cancelled())

    async def read():
        return b"x"

    async def scene():
        uploads = Uploads(Slow(), StorageQuota(tmp_path, None), 1)
        adding = asyncio.create_task(uploads.add(read, "a"))
        await asyncio.to_thread(describing.wait, 30)
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await adding
        end.set()
        # Neither the place nor the turn of the cancelled upload is taken for ever.
        await uploads.add(read, "b")

    asyncio.run(scene())
    assert sorted(told) == [False, True]


def test_freed_memory_is_returned_after_each_upload(tmp_path, monkeypatch):
    library = Library()
    monkeypatch.setattr(
        uploads_module, "_return_freed_memory", lambda: library.happened.append("returned")
    )

    async def read():
        return b"x"

    asyncio.run(Uploads(library, StorageQuota(tmp_path, None), 100).add(read, "a"))
    assert library.happened == [("added", "a"), "returned"]
