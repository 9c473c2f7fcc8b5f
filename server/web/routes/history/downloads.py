"""Files of a run's history for download."""

from __future__ import annotations

__all__ = ["as_download"]


def as_download(filename: str) -> dict[str, str]:
    """Return the headers of a file that is saved under this name."""
    return {"Content-Disposition": f'attachment; filename="{filename}"'}
