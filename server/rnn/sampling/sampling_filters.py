"""Sampling: temperature, top-k and top-p, and the noise that draws a character."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from server.rnn.parameters import Array

# Above the maximum every distribution is uniform in float32; below the minimum the likeliest
# character has all the probability.
MAX_TEMPERATURE = 1e9
MIN_TEMPERATURE = 1e-30


class Sampler:
    """Draws the characters of several texts in parallel.

    Parameters
    ----------
    temperatures : float or sequence of float
        One for each text. The logits are divided by it: values below 1 favour likely characters,
        values above 1 unlikely ones. 0 always takes the likeliest character.
    top_k : int or None
        The number of likeliest characters that are kept, 1 or more; None: all.
    top_p : float or None
        Only the nucleus is kept: the fewest likeliest characters that together have at least this
        probability, above 0 and up to 1 [2]_. It is the probability at the temperature, among the
        characters that `top_k` keeps. None: all.
    vocabulary_size : int
        K.
    dtype : dtype
        The type of the logits.

    Raises
    ------
    ValueError
        If one of them is outside its range.

    Notes
    -----
    A character is drawn by the Gumbel-max trick [1]_: with independent standard Gumbel noise
    ``G_k``, ``argmax_k (o_k / temperature + G_k)`` has the distribution
    ``softmax(o / temperature)``. Scaled by the temperature it reads
    ``argmax_k (o_k + temperature * G_k)``, which is also correct at 0. The noise does not depend on
    the network, so it is drawn for many characters at once. It does not depend on the temperature
    or the filters either: all texts use the same noise. Characters that are not kept get a logit
    of minus infinity.

    References
    ----------
    .. [1] C. J. Maddison, D. Tarlow and T. Minka, "A* sampling", NeurIPS 2014, section 2, after
       E. J. Gumbel, "Statistical theory of extreme values", 1954.
    .. [2] A. Holtzman, J. Buys, L. Du, M. Forbes and Y. Choi, "The curious case of neural text
       degeneration", ICLR 2020.
    """

    def __init__(
        self,
        temperatures: float | Sequence[float],
        *,
        top_k: int | None,
        top_p: float | None,
        vocabulary_size: int,
        dtype: DTypeLike,
    ) -> None:
        scales = np.array(temperatures, dtype=np.float64).reshape(-1, 1)
        if not (scales.size and np.isfinite(scales).all() and (scales >= 0.0).all()):
            raise ValueError("The temperature must be a finite number, 0 or greater.")
        if top_k is not None and top_k < 1:
            raise ValueError("top_k must be 1 or greater.")
        if top_p is not None and not 0.0 < top_p <= 1.0:
            raise ValueError("top_p must be greater than 0 and at most 1.")
        S, K = len(scales), vocabulary_size
        self._scales = np.minimum(scales, MAX_TEMPERATURE)
        self._divisors = np.maximum(self._scales, MIN_TEMPERATURE).astype(dtype)
        self._top_k = top_k
        self._top_p = None if top_p == 1.0 else top_p
        self._offsets = np.arange(0, S * K, K).reshape(S, 1)
        self._shape, self._dtype = (S, K), dtype

    @property
    def texts(self) -> int:
        """S, the number of texts."""
        return self._shape[0]

    @property
    def keeps_all(self) -> bool:
        """Whether there is no filter, so that `filter_logits` has no effect."""
        return self._top_k is None and self._top_p is None

    def noise(self, rng: np.random.Generator, n: int) -> Array:
        """Draw the noise that is added to the logits of the next `n` characters.

        Parameters
        ----------
        rng : numpy.random.Generator
            The number of values drawn does not depend on the number of texts.
        n : int
            At least 0.

        Returns
        -------
        ndarray of shape (n, S, K)
            Gumbel noise, the same for each of the S texts, times the text's temperature.
        """
        S, K = self._shape
        # In float64, whatever the network's type: small float32 exponentials are so coarse that
        # their logarithms would now and then draw impossible characters.
        gumbel = rng.standard_exponential((n, 1, K))
        np.log(gumbel, gumbel)
        noise = np.empty((n, S, K), dtype=self._dtype)
        return np.multiply(gumbel, -self._scales, noise, casting="same_kind")

    def filter_logits(self, logits: Array) -> None:
        """Set the logits of all characters that are not kept to minus infinity, in place.

        Parameters
        ----------
        logits : ndarray of shape (S, K)
            Contiguous. If some are not finite, the choice of kept characters is undefined.
        """
        flat = logits.reshape(-1)
        # Stable, so that of equally likely characters those with the lowest indices are kept.
        order = np.negative(logits).argsort(1, "stable")
        order += self._offsets
        if self._top_k is not None:
            flat[order[:, self._top_k :]] = -np.inf
        if self._top_p is not None:
            p = flat.take(order)
            p -= p[:, :1]
            p /= self._divisors
            np.exp(p, p)
            sums = np.add.accumulate(p, 1)
            np.subtract(sums, p, p)
            flat[order[p >= self._top_p * sums[:, -1:]]] = -np.inf
