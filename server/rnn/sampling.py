"""Text from a model: one character after another, drawn from what the network predicts."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from server.rnn.model import Model
from server.rnn.parameters import Array
from server.rnn.stepping import Stepper

# Noise for this many characters is drawn at once.
PIECE = 256

# Beyond this temperature every distribution is uniform to float32's last digit.
HOTTEST = 1e9


def write(
    model: Model,
    length: int,
    *,
    temperature: float = 1.0,
    seed: int | SeedSequence,
    prime: NDArray[np.integer] | None = None,
) -> NDArray[np.intp]:
    """Return `length` characters written by `model`.

    Parameters
    ----------
    model : Model
        Its parameters need not be finite; what they write is then without sense, but it is
        written.
    length : int
        At least 0.
    temperature : float, default 1
        The logits are divided by it: below 1 the likely becomes likelier, above 1 the unlikely.
        0 takes the likeliest character every time.
    seed : int or SeedSequence
        The same seed gives the same text.
    prime : ndarray of int, shape (n,), optional
        Characters to read first, from a zero state. Without it (or with n = 0) the model goes on
        from its own state and next input character.

    Returns
    -------
    ndarray of shape (length,), intp
        Indices of characters; the prime is not among them.

    Raises
    ------
    ValueError
        If `length` or `temperature` is negative or `temperature` is not finite, or if `prime`
        holds an index that is not in ``range(K)``.
    """
    pieces = write_pieces(model, length, temperature=temperature, seed=seed, prime=prime)
    return np.concatenate([np.empty(0, dtype=np.intp), *pieces])


def write_pieces(
    model: Model,
    length: int,
    *,
    temperature: float = 1.0,
    seed: int | SeedSequence,
    prime: NDArray[np.integer] | None = None,
) -> Iterator[NDArray[np.intp]]:
    """Write as `write` does, and yield the text in pieces as it comes.

    Parameters
    ----------
    model, length, temperature, seed, prime
        As for `write`. `model` must not change until the last piece is taken.

    Yields
    ------
    ndarray of shape (n,), intp
        The next characters, at most `PIECE` of them.

    Raises
    ------
    ValueError
        As for `write`, when the first piece is asked for.

    Notes
    -----
    A character is drawn by the Gumbel-max trick [1]_: with independent standard Gumbel noise
    ``G_k``, ``argmax_k (o_k / temperature + G_k)`` has the distribution
    ``softmax(o / temperature)``. Scaled by the temperature it reads
    ``argmax_k (o_k + temperature * G_k)``, which is right at 0 as well. The noise needs nothing of
    the network, so it is drawn for many characters at once, and it does not depend on the
    temperature either: the same seed writes with the same luck at any temperature.

    References
    ----------
    .. [1] C. J. Maddison, D. Tarlow and T. Minka, "A* sampling", NeurIPS 2014, section 2, after
       E. J. Gumbel, "Statistical theory of extreme values", 1954.
    """
    if length < 0:
        raise ValueError("The length of a text cannot be negative.")
    if not (math.isfinite(temperature) and temperature >= 0.0):
        raise ValueError("The temperature must be a finite number, 0 or greater.")
    writer = _VanillaWriter(model) if _is_plain(model) else _Writer(model)
    if prime is not None and len(prime) > 0:
        writer.read(prime)
    rng = np.random.default_rng(seed)
    scale = min(temperature, HOTTEST)
    for start in range(0, length, PIECE):
        n = min(PIECE, length - start)
        # In float64, whatever the network's type: a smallest float32 exponential is so coarse
        # that its logarithm would let impossible characters through now and then.
        noise = rng.standard_exponential((n, model.vocabulary_size))
        np.log(noise, out=noise)
        noise *= -scale
        yield writer.write(noise.astype(model.dtype))


def _check(prime: NDArray[np.integer], vocabulary_size: int) -> None:
    if int(np.min(prime)) < 0 or int(np.max(prime)) >= vocabulary_size:
        raise ValueError("The prime holds an index that is not in the vocabulary.")


def _is_plain(model: Model) -> bool:
    return model.cell == "rnn" and model.layers == 1


class _Writer:
    """A model at work: its state and its next input character.

    Parameters that are not finite are no reason to warn here; it is training that must notice
    them.
    """

    def __init__(self, model: Model) -> None:
        self._stepper = Stepper(model)
        self._index = model.next_index
        self._vocabulary_size = model.vocabulary_size

    @np.errstate(all="ignore")
    def read(self, prime: NDArray[np.integer]) -> None:
        """Read `prime` from a zero state; its last character becomes the next input."""
        _check(prime, self._vocabulary_size)
        self._stepper.clear_state()
        *before, self._index = prime.tolist()
        for index in before:
            self._stepper.step(index)

    @np.errstate(all="ignore")
    def write(self, noise: Array) -> NDArray[np.intp]:
        """Write one character for each row of `noise`, which is used up."""
        step, add = self._stepper.step, np.add
        written = []
        for luck in noise:
            add(step(self._index)[0], luck, luck)
            self._index = int(luck.argmax())
            written.append(self._index)
        return np.array(written, dtype=np.intp)


class _VanillaWriter:
    """`_Writer` for one vanilla layer, in fewer calls.

    State and output products share their left side, so ``h [W^T, V^T]`` gives the recurrent term
    of the next step and the logits of this one at once.
    """

    @np.errstate(all="ignore")
    def __init__(self, model: Model) -> None:
        p = model.parameters
        m = model.hidden_size
        self._product = np.concatenate([p["W"].T, p["V"].T], axis=1).T.dot
        self._input_rows = p["U"].T + p["b"]
        self._c = p["c"]
        self._h = model.state["h"].copy()
        self._index = model.next_index
        self._products = np.empty(m + model.vocabulary_size, dtype=model.dtype)
        self._recurrent, self._logits = self._products[:m], self._products[m:]
        self._product(self._h, self._products)

    @np.errstate(all="ignore")
    def read(self, prime: NDArray[np.integer]) -> None:
        """Read `prime` from a zero state; its last character becomes the next input."""
        _check(prime, len(self._input_rows))
        self._h[:] = 0.0
        self._products[:] = 0.0
        *before, self._index = prime.tolist()
        for index in before:
            self._step(index)

    def _step(self, index: int) -> None:
        np.add(self._recurrent, self._input_rows[index], self._h)
        np.tanh(self._h, self._h)
        self._product(self._h, self._products)

    @np.errstate(all="ignore")
    def write(self, noise: Array) -> NDArray[np.intp]:
        """Write one character for each row of `noise`, which is used up."""
        noise += self._c
        add, tanh, product, rows = np.add, np.tanh, self._product, self._input_rows
        h, products, recurrent, logits = self._h, self._products, self._recurrent, self._logits
        index = self._index
        written = []
        for luck in noise:
            add(recurrent, rows[index], h)
            tanh(h, h)
            product(h, products)
            add(logits, luck, luck)
            index = luck.argmax()
            written.append(index)
        self._index = index
        return np.array(written, dtype=np.intp)
