"""A unit whose activation is held at a value."""

from dataclasses import dataclass

from server.rnn.architecture import Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Replaces the activation of one unit by the same value after every step.

    The next step, the layer above and the output read this value instead of ``h_t``. A cell's other
    states, such as c of an LSTM, are computed as always.

    Attributes
    ----------
    layer : int
        The unit's layer, counted from 0, the one that reads characters.
    unit : int
        The unit, from 0 to m - 1.
    value : float
        Any number. In a network of tanh, GRU or LSTM cells, h is between -1 and 1.
    """

    layer: int
    unit: int
    value: float

    def check(self, architecture: Architecture) -> None:
        """Raise ValueError if a network of this architecture has no such unit."""
        if not 0 <= self.layer < architecture.layers:
            raise ValueError(f"The network has no layer {self.layer}.")
        if not 0 <= self.unit < architecture.hidden_size:
            raise ValueError(f"The network has no unit {self.unit}.")
