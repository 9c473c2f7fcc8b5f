"""Text from a model: one character after another, drawn from what the network predicts."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from server.rnn.cells.vanilla import VANILLA
from server.rnn.model import Model
from server.rnn.parameters import Array
from server.rnn.sampling.inference import Stepper
from server.rnn.sampling.sampling_filters import Sampler

Indices: TypeAlias = NDArray[np.intp]

# Noise for this many characters is drawn at once.
PIECE = 256


def write(
    model: Model,
    length: int,
    *,
    temperature: float | Sequence[float] = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | SeedSequence,
    prime: NDArray[np.integer] | None = None,
) -> Indices:
    """Return `length` characters written by `model`, or several texts of that length.

    Parameters
    ----------
    model : Model
        Its parameters need not be finite; what they write is then without sense, but it is
        written.
    length : int
        At least 0.
    temperature : float or sequence of float, default 1
        0 takes the likeliest character every time, 1 draws from the network's own distribution;
        in between the likely becomes likelier, above 1 the unlikely. With several, a text is
        written at each, side by side and with the same luck.
    top_k : int, optional
        Draw only from so many of the likeliest characters, 1 or more.
    top_p : float, optional
        Draw only from the likeliest characters that together have this probability, above 0 and
        up to 1; see `choice.Choice`.
    seed : int or SeedSequence
        The same seed gives the same text.
    prime : ndarray of int, shape (n,), optional
        Characters to read first, from the model's own state. Without it (or with n = 0) the model
        goes on from there with its own next input character.

    Returns
    -------
    ndarray of shape (length,), or (S, length) with a sequence of S temperatures; intp
        Indices of characters; the prime is not among them.

    Raises
    ------
    ValueError
        If `length` or a temperature is negative, a temperature is not finite, `top_k` or `top_p`
        is outside its range, or `prime` holds an index that is not in ``range(K)``.

    Notes
    -----
    Written side by side, a text may differ from the one that is written alone from the same seed:
    the products are then summed in another order, and rounding can tip the balance between two
    characters.

    A prime read from a zero state would be simpler, but a network meets one only where an epoch
    begins. Of what comes after it, it may make no sense for thousands of characters.
    """
    pieces = write_pieces(
        model,
        length,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        prime=prime,
    )
    nothing = np.empty((*np.shape(temperature), 0), dtype=np.intp)
    return np.concatenate([nothing, *pieces], axis=-1)


def write_pieces(
    model: Model,
    length: int,
    *,
    temperature: float | Sequence[float] = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | SeedSequence,
    prime: NDArray[np.integer] | None = None,
) -> Iterator[Indices]:
    """Write as `write` does, and yield the text in pieces as it comes.

    Parameters
    ----------
    model, length, temperature, top_k, top_p, seed, prime
        As for `write`. `model` must not change until the last piece is taken.

    Yields
    ------
    ndarray of shape (n,) or (S, n), intp
        The next characters, at most `PIECE` of each text.

    Raises
    ------
    ValueError
        As for `write`, when the first piece is asked for.
    """
    if length < 0:
        raise ValueError("The length of a text cannot be negative.")
    choice = Sampler(
        temperature,
        top_k=top_k,
        top_p=top_p,
        vocabulary_size=model.vocabulary_size,
        dtype=model.dtype,
    )
    if prime is not None and len(prime) > 0:
        model = _read(model, prime)
    plain = choice.texts == 1 and model.cell == VANILLA.name and model.layers == 1
    writer = _VanillaWriter(model, choice) if plain else _Writer(model, choice)
    rng = np.random.default_rng(seed)
    for start in range(0, length, PIECE):
        written = writer.write(choice.noise(rng, min(PIECE, length - start)))
        yield written if np.ndim(temperature) else written[0]


@np.errstate(all="ignore")
def _read(model: Model, prime: NDArray[np.integer]) -> Model:
    """Return the model as it stands once it has read `prime`."""
    if int(np.min(prime)) < 0 or int(np.max(prime)) >= model.vocabulary_size:
        raise ValueError("The prime holds an index that is not in the vocabulary.")
    stepper = Stepper(model)
    for index in prime[:-1]:
        stepper.step(index)
    state = {name: view[0] for name, view in stepper.state.items()}
    return replace(model, state=state, next_index=int(prime[-1]))


class _Writer:
    """A model at work: the state and the next input character of each text.

    Parameters that are not finite are no reason to warn here; it is training that must notice
    them.
    """

    def __init__(self, model: Model, choice: Sampler) -> None:
        self._stepper = Stepper(model, choice.texts)
        self._x = np.full(choice.texts, model.next_index, dtype=np.intp)
        self._choice = choice

    @np.errstate(all="ignore")
    def write(self, noise: Array) -> Indices:
        """Write one character for each row of `noise`, which is used up."""
        step, add, x = self._stepper.step, np.add, self._x
        filter = None if self._choice.keeps_all else self._choice.filter
        written = np.empty(noise.shape[:2], dtype=np.intp)
        for luck, chosen in zip(noise, written, strict=True):
            logits = step(x)
            if filter:
                filter(logits)
            add(logits, luck, luck)
            x = luck.argmax(1, chosen)
        self._x = x
        return written.T


class _VanillaWriter:
    """`_Writer` for one text and one vanilla layer, in fewer calls.

    State and output products share their left side, so ``h [W^T, V^T]`` gives the recurrent term
    of the next step and the logits of this one at once.
    """

    @np.errstate(all="ignore")
    def __init__(self, model: Model, choice: Sampler) -> None:
        p = model.parameters
        m = model.hidden_size
        self._product = np.concatenate([p["W"].T, p["V"].T], axis=1).T.dot
        self._input_rows = p["U"].T + p["b"]
        self._c = p["c"]
        self._h = model.state["h"].copy()
        self._index = model.next_index
        self._products = np.empty(m + model.vocabulary_size, dtype=model.dtype)
        self._recurrent, self._logits = self._products[:m], self._products[m:]
        self._choice = choice
        self._product(self._h, self._products)

    @np.errstate(all="ignore")
    def write(self, noise: Array) -> Indices:
        """Write one character for each row of `noise`, which is used up."""
        add, tanh, product, rows = np.add, np.tanh, self._product, self._input_rows
        h, products, recurrent, logits = self._h, self._products, self._recurrent, self._logits
        filter, candidates = self._choice.filter, logits.reshape(1, -1)
        restricted, c = not self._choice.keeps_all, self._c
        if not restricted:
            noise += c
        index = self._index
        written = []
        for luck in noise[:, 0]:
            add(recurrent, rows[index], h)
            tanh(h, h)
            product(h, products)
            if restricted:
                add(logits, c, logits)
                filter(candidates)
            add(logits, luck, luck)
            index = luck.argmax()
            written.append(index)
        self._index = index
        return np.array(written, dtype=np.intp).reshape(1, -1)
