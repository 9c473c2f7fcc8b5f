"""Texts that many people bring at once."""

import asyncio

from server.corpora.uploads import Uploads
from server.files.storage_quota import StorageQuota


class Library:
    """Notes what happens, in the order in which it does."""

    def __init__(self):
        self.happened = []

    def list(self):
        return []

    def add(self, data, name):
        self.happened.append(("added", name))
        return data


def test_they_are_read_and_described_one_after_the_other(tmp_path):
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
