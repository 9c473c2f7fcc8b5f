"""Concurrent uploads."""

import asyncio

from server.corpora.uploads import Uploads
from server.files.storage_quota import StorageQuota


class Library:
    """Records the order of events."""

    def __init__(self):
        self.happened = []

    def list(self):
        return []

    def add(self, data, name, encoding):
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
