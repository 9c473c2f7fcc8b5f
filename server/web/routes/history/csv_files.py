"""Files of a run's history for download."""

from __future__ import annotations

from server.rnn.training.batches import BatchLayout

__all__ = ["PositionFinder", "as_download"]


def as_download(filename: str) -> dict[str, str]:
    """Return the headers of a file that is saved under this name."""
    return {"Content-Disposition": f'attachment; filename="{filename}"'}


class PositionFinder:
    """Finds which part of the text updates read; it is fast for one update after the other.

    Parameters
    ----------
    layout : BatchLayout
        The division of the text.
    """

    def __init__(self, layout: BatchLayout) -> None:
        self._layout = layout
        self._epoch = 0

    def locate(self, update: int) -> tuple[int, int]:
        """Return the epoch of an update, counted from 1, and its position in each stream."""
        epochs, within = divmod(update - 1, self._layout.sequences)
        if epochs + 1 != self._epoch:
            self._epoch = epochs + 1
            self._order = self._layout.sequence_order(self._epoch)
        sequence = within if self._order is None else int(self._order[within])
        return self._epoch, sequence * self._layout.sequence_length
