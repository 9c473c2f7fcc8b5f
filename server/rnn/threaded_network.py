"""A network whose streams are computed by several threads."""

from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike, NDArray

from server.rnn.architecture import Architecture
from server.rnn.network import Network, draw_mask
from server.rnn.parameters import Array, Parameters
from server.rnn.thread_team import ThreadTeam, divide


class ThreadedNetwork:
    """A `Network` whose streams are divided among networks that share its parameters.

    Each of them computes the states, losses and gradients of its own streams, in a thread of its
    own. Their gradients are added in a fixed order. So the same number of threads gives the same
    bytes, and another number gives results that are equal up to rounding. The reasons are in
    docs/decisions/threads.md.

    Parameters
    ----------
    architecture : Architecture
    sequence_length : int
        T, at least 1.
    dtype : dtype
        float32 or float64.
    batch_size : int
        B, at least 2.
    team : ThreadTeam
        At most B threads.

    Attributes
    ----------
    architecture, sequence_length, batch_size, team
        As above.
    parameters, gradients, state, last_state, losses
        As in `Network`.
    masks : list of ndarray of shape (T, B, m)
        As in `Network`.
    """

    def __init__(
        self,
        architecture: Architecture,
        sequence_length: int,
        dtype: DTypeLike,
        *,
        batch_size: int,
        team: ThreadTeam,
    ) -> None:
        self.architecture = architecture
        self.sequence_length, self.batch_size = sequence_length, batch_size
        self.parameters = Parameters(architecture.parameter_shapes, dtype)
        self.state = self._make_state()
        self.last_state = self._make_state()
        self.losses = np.empty(sequence_length * batch_size, dtype=dtype)
        self.masks: list[Array] = []
        self.team = team
        self._parts = [_Part(self, streams) for streams in divide(batch_size, team.threads)]
        # The sum replaces the first part's gradients.
        self.gradients, *others = [part.network.gradients for part in self._parts]
        self._gradients = [
            [flat[piece] for flat in (self.gradients.flat, *(each.flat for each in others))]
            for piece in divide(self.gradients.flat.size, team.threads)
        ]

    def _make_state(self) -> dict[str, Array]:
        shape = self.batch_size, self.architecture.hidden_size
        dtype = self.parameters.dtype
        return {name: np.zeros(shape, dtype) for name in self.architecture.state_names}

    def forward(self, x: NDArray[np.integer], y: NDArray[np.integer]) -> np.inexact:
        """Read a sequence of each stream, starting from `state`, and return the loss.

        Parameters
        ----------
        x, y : ndarray of int, shape (T, B)
            As for `Network.forward`.

        Returns
        -------
        scalar
            The cross-entropy summed over the sequence and averaged over the streams, in nats.
        """
        losses = self.team.run(partial(_Part.forward, x=x, y=y), self._parts)
        loss: np.inexact = np.sum(losses)
        return loss

    def backward(self) -> None:
        """Fill `gradients` with those of the last `forward`."""
        self.team.run(_Part.backward, self._parts)
        self.team.run(_add, self._gradients)

    @property
    def likeliest(self) -> NDArray[np.intp]:
        """The likeliest next character at each step of the last `forward`, of shape (T, B)."""
        return np.concatenate([part.network.likeliest for part in self._parts], axis=1)

    def set_tiled(self, *, tiled: bool) -> None:
        """Divide the recurrent products into tiles, as `Network.set_tiled` does."""
        for part in self._parts:
            part.network.set_tiled(tiled=tiled)

    def carry(self) -> None:
        """Make the state after the sequence the state before the next."""
        for name, state in self.state.items():
            state[:] = self.last_state[name]

    def clear_state(self) -> None:
        """Make the state before the next sequence zero."""
        for state in self.state.values():
            state[:] = 0.0

    def draw_masks(self, rng: Generator, rate: float) -> None:
        """Draw the same dropout masks as `Network.draw_masks` does."""
        if not self.masks:
            shape = self.sequence_length, self.batch_size, self.architecture.hidden_size
            layers = range(1, self.architecture.layers)
            self.masks = [np.empty(shape, self.parameters.dtype) for _ in layers]
        for mask in self.masks:
            draw_mask(rng, rate, mask.reshape(-1, mask.shape[2]))
        for part in self._parts:
            part.network.set_masks([mask[:, part.streams] for mask in self.masks])


class _Part:
    """The streams of one thread.

    Parameters
    ----------
    whole : ThreadedNetwork
        The network of all streams.
    streams : slice
        Those of this part.

    Attributes
    ----------
    network : Network
        It reads only these streams. Its loss and gradients are its part of the average over all.
    """

    def __init__(self, whole: ThreadedNetwork, streams: slice) -> None:
        sizes = whole.architecture
        self.streams = streams
        self.network = Network(
            sizes.vocabulary_size,
            sizes.hidden_size,
            whole.sequence_length,
            whole.parameters.dtype,
            cell=sizes.cell,
            layers=sizes.layers,
            batch_size=streams.stop - streams.start,
            parameters=whole.parameters,
            averaged_over=whole.batch_size,
        )
        names = sizes.state_names
        self._states = [(self.network.state[name], whole.state[name][streams]) for name in names]
        self._last_states = [
            (whole.last_state[name][streams], self.network.last_state[name]) for name in names
        ]
        by_stream = whole.losses.reshape(whole.sequence_length, whole.batch_size)
        self._losses = by_stream[:, streams]

    def forward(self, x: NDArray[np.integer], y: NDArray[np.integer]) -> np.inexact:
        _copy(self._states)
        loss = self.network.forward(x[:, self.streams], y[:, self.streams])
        _copy(self._last_states)
        self._losses[:] = self.network.losses.reshape(self._losses.shape)
        return loss

    def backward(self) -> None:
        self.network.backward()


def _copy(pairs: Sequence[tuple[Array, Array]]) -> None:
    for target, source in pairs:
        target[:] = source


def _add(pieces: Sequence[Array]) -> None:
    """Add all pieces to the first one, in their order."""
    total, *others = pieces
    for piece in others:
        np.add(total, piece, total)


AnyNetwork: TypeAlias = Network | ThreadedNetwork
"""A network that a trainer trains."""
