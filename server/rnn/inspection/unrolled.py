"""Backpropagation through time, one step after the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.rnn.cells.inputs import HiddenStates
from server.rnn.cells.stack import make_layers
from server.rnn.model import Model
from server.rnn.parameters import Array, Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrolled:
    """A network unrolled over the first n steps of a sequence of T characters.

    All arrays are float64. States have one row more than there are steps: row 0 is before the
    sequence, and row t after step t.

    Attributes
    ----------
    hidden : ndarray of shape (layers, n + 1, m)
        ``h_t`` of each layer.
    probabilities : ndarray of shape (n, K)
        ``p_t``.
    losses : ndarray of shape (T,)
        ``-log p_t[y_t]`` of every step of the sequence, in nats.
    from_output : ndarray of shape (layers, n, m)
        ``e_t``, the gradient of the sequence's loss with respect to ``h_t`` through the output, or
        the layer above, of step t alone.
    from_later : dict of str to ndarray of shape (layers, n + 1, m)
        Its gradient with respect to each state through the steps after t alone, by symbol. Row 0 is
        the gradient that truncated backpropagation through time carries no further.
    contributions : dict of str to ndarray of shape (n,)
        By parameter, the norm of each step's term in the sum over time that is its gradient, such
        as ``da_t h_{t-1}^T`` for W of a vanilla network.
    sums : dict of str to float
        By parameter, the norm of the sum of these n terms. If n is T, it is that of the gradient.
    """

    hidden: Array
    probabilities: Array
    losses: Array
    from_output: Array
    from_later: dict[str, Array]
    contributions: dict[str, Array]
    sums: dict[str, float]

    @property
    def hidden_gradients(self) -> Array:
        """``dh_t``, the gradient with respect to each ``h_t``, of shape (layers, n, m)."""
        return np.asarray(self.from_output + self.from_later["h"][:, 1:])


# Some BLAS libraries raise floating-point warnings for correct products, and a network that has
# diverged has numbers that are not finite.
@np.errstate(all="ignore")
def unroll(
    model: Model,
    x: NDArray[np.integer],
    y: NDArray[np.integer],
    *,
    masks: Sequence[Array] = (),
    steps: int | None = None,
) -> Unrolled:
    """Read a sequence from the model's state, and carry the gradient of its loss back.

    It computes what `Network.forward` and `Network.backward` compute with one stream, in float64
    and one step at a time.

    Parameters
    ----------
    model : Model
    x, y : ndarray of int, shape (T,)
        The characters, and the character that follows each of them; each in ``range(K)``, which is
        not checked. T is at least 1.
    masks : sequence of ndarray of shape (T, m)
        The dropout masks of all layers but the first; empty without dropout.
    steps : int, optional
        n, at least 1; cut to T. None: T.

    Returns
    -------
    Unrolled
    """
    T, m, sizes = len(x), model.hidden_size, model.architecture
    n = min(T, steps or T)
    network = _OneStep(model, x, masks)
    states = network.read(model.state)
    o = states["h"][-1, 1:] @ network.parameters.stack("V", "c")[:-1] + network.parameters["c"]
    p, losses = _softmax(o, y)
    d_o = p.copy()
    d_o[np.arange(T), y] -= 1.0

    from_output = np.zeros((sizes.layers, n, m))
    from_later = {symbol: np.zeros((sizes.layers, n + 1, m)) for symbol in states}
    terms = network.gradients
    contributions = {name: np.zeros(n) for name in terms}
    total = terms.like()
    later = {symbol: np.zeros((sizes.layers, m)) for symbol in states}
    for t in range(T, 0, -1):
        split = t <= n
        if split:
            for symbol, rows in from_later.items():
                rows[:, t] = later[symbol]
        e, later = network.back(t, d_o[t - 1], states, later, split=split)
        if split:
            from_output[:, t - 1] = e
            total.flat += terms.flat
            for name, term in terms.items():
                contributions[name][t - 1] = np.linalg.norm(term)
    for symbol, rows in from_later.items():
        rows[:, 0] = later[symbol]
    return Unrolled(
        hidden=states["h"][:, : n + 1],
        probabilities=p[:n],
        losses=losses,
        from_output=from_output,
        from_later=from_later,
        contributions=contributions,
        sums={name: float(np.linalg.norm(view)) for name, view in total.items()},
    )


class _OneStep:
    """A network of one step, which reads a sequence step by step, forwards and back.

    Parameters
    ----------
    model : Model
    x : ndarray of int, shape (T,)
    masks : sequence of ndarray of shape (T, m)
    """

    def __init__(self, model: Model, x: NDArray[np.integer], masks: Sequence[Array]) -> None:
        self._sizes = model.architecture
        self.parameters = Parameters(self._sizes.parameter_shapes, np.float64)
        for name, view in self.parameters.items():
            view[...] = model.parameters[name]
        self.gradients = self.parameters.like()
        self._x, self._masks = x, masks
        self._characters, self._layers = make_layers(
            self._sizes, self.parameters, self.gradients, 1, 1
        )
        for layer in self._layers:
            layer.refresh()

    def read(self, state: dict[str, Array]) -> dict[str, Array]:
        """Return the states of all steps, of shape (layers, T + 1, m), by symbol."""
        T, sizes = len(self._x), self._sizes
        states = {
            symbol: np.empty((sizes.layers, T + 1, sizes.hidden_size))
            for symbol in self._layers[0].state
        }
        for symbol, rows in states.items():
            for number in range(sizes.layers):
                rows[number, 0] = state[sizes.name(symbol, number)]
        for t in range(1, T + 1):
            self._forward(t, states)
            for symbol, rows in states.items():
                for number, layer in enumerate(self._layers):
                    rows[number, t] = layer.last_state[symbol][0]
        return states

    def _forward(self, t: int, states: dict[str, Array]) -> None:
        self._characters.x[:] = self._x[t - 1]
        for number, layer in enumerate(self._layers):
            for symbol, view in layer.state.items():
                view[0] = states[symbol][number, t - 1]
            if self._masks and isinstance(layer.inputs, HiddenStates):
                layer.inputs.own_mask()[:] = self._masks[number - 1][t - 1]
            layer.forward()

    def back(
        self,
        t: int,
        d_o: Array,
        states: dict[str, Array],
        later: dict[str, Array],
        *,
        split: bool,
    ) -> tuple[Array, dict[str, Array]]:
        """Carry the gradient back through step t, counted from 1.

        Parameters
        ----------
        t : int
        d_o : ndarray of shape (K,)
            ``p_t - y_t``.
        states : dict of str to ndarray of shape (layers, T + 1, m)
            What `read` returned.
        later : dict of str to ndarray of shape (layers, m)
            The gradients with respect to the states after the step, through later steps.
        split : bool
            Whether to fill `gradients` with the step's terms.

        Returns
        -------
        e : ndarray of shape (layers, m)
            ``e_t`` of each layer.
        before : dict of str to ndarray of shape (layers, m)
            The gradients with respect to the states before the step.
        """
        self._forward(t, states)
        e = np.empty_like(later["h"])
        before = {symbol: np.empty_like(rows) for symbol, rows in later.items()}
        e[-1] = d_o @ self.parameters["V"]
        for number in reversed(range(len(self._layers))):
            layer = self._layers[number]
            of_states = {symbol: rows[number : number + 1] for symbol, rows in later.items()}
            of_states["h"] = d_h = of_states["h"] + e[number]
            d_a, of_states_before = layer.pull_back(0, of_states)
            for symbol, gradient in of_states_before.items():
                before[symbol][number] = gradient[0]
            if isinstance(layer.inputs, HiddenStates):
                mask = 1.0 if layer.inputs.mask is None else layer.inputs.mask[0]
                e[number - 1] = mask * (d_a[0] @ self.parameters[self._sizes.name("U", number)])
            if split:
                layer.state_gradients[:] = d_h
                for symbol, view in layer.last_state_gradients.items():
                    view[:] = of_states[symbol]
                layer.backward()
        if split:
            np.multiply.outer(states["h"][-1, t], d_o, out=self.gradients["V"].T)
            self.gradients["c"][:] = d_o
        return e, before


def _softmax(o: Array, y: NDArray[np.integer]) -> tuple[Array, Array]:
    """Return the probabilities (T, K) and the losses (T,) of logits."""
    o = o - o.max(axis=1, keepdims=True)
    p = np.exp(o)
    sums = p.sum(axis=1, keepdims=True)
    return p / sums, np.log(sums[:, 0]) - o[np.arange(len(o)), y]
