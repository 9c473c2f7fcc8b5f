"""A storage quota is measured often enough."""

import asyncio

import pytest

from server.files.storage_quota import QuotaExceededError, StorageQuota


def test_the_quota_is_measured_again_before_a_refusal(tmp_path):
    async def scene():
        quota = StorageQuota(tmp_path, 1_000)
        (tmp_path / "deep").mkdir()
        (tmp_path / "deep" / "a").write_bytes(bytes(900))
        await quota.check(100)
        with pytest.raises(
            QuotaExceededError, match="may contain 1,000 bytes, and contains 900 bytes"
        ):
            await quota.check(101)
        (tmp_path / "deep" / "a").unlink()
        await quota.check(1_000)
        await StorageQuota(tmp_path, None).check(10**15)

    asyncio.run(scene())
