"""How the next character is chosen among those that the network predicts."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from server.rnn.parameters import Array

# Beyond this temperature every distribution is uniform to float32's last digit, and below the
# other one, all of it is on the likeliest.
HOTTEST = 1e9
COLDEST = 1e-30


class Sampler:
    """A way to choose characters, for several texts that are written side by side.

    Parameters
    ----------
    temperatures : float or sequence of float
        One for each text. The logits are divided by it: below 1 the likely becomes likelier,
        above 1 the unlikely. 0 takes the likeliest character every time.
    top_k : int or None
        Only the `top_k` likeliest characters are let through, 1 or more; None: all.
    top_p : float or None
        Only the nucleus is let through: the likeliest characters that together have at least this
        probability, above 0 and up to 1, and no more of them than it takes [2]_. The probability
        is that at the temperature, among those that `top_k` lets through. None: all.
    vocabulary_size : int
        K.
    dtype : dtype
        Of the logits.

    Raises
    ------
    ValueError
        If one of them is outside its range.

    Notes
    -----
    A character is drawn by the Gumbel-max trick [1]_: with independent standard Gumbel noise
    ``G_k``, ``argmax_k (o_k / temperature + G_k)`` has the distribution
    ``softmax(o / temperature)``. Scaled by the temperature it reads
    ``argmax_k (o_k + temperature * G_k)``, which is right at 0 as well. The noise needs nothing of
    the network, so it is drawn for many characters at once. Nor does it depend on the temperature
    or on what is let through: the same noise brings every text the same luck. Characters that are
    not let through have a logit of minus infinity.

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
        self._scales = np.minimum(scales, HOTTEST)
        self._divisors = np.maximum(self._scales, COLDEST).astype(dtype)
        self._top_k = top_k
        self._top_p = None if top_p == 1.0 else top_p
        self._offsets = np.arange(0, S * K, K).reshape(S, 1)
        self._shape, self._dtype = (S, K), dtype

    @property
    def texts(self) -> int:
        """S, how many texts are written side by side."""
        return self._shape[0]

    @property
    def keeps_all(self) -> bool:
        """Whether `filter` has nothing to do."""
        return self._top_k is None and self._top_p is None

    def noise(self, rng: np.random.Generator, n: int) -> Array:
        """Draw what is added to the logits of the next `n` characters.

        Parameters
        ----------
        rng : numpy.random.Generator
            As many numbers are taken from it however many texts there are.
        n : int
            At least 0.

        Returns
        -------
        ndarray of shape (n, S, K)
            Gumbel noise, the same for each of the S texts, times its temperature.
        """
        S, K = self._shape
        # In float64, whatever the network's type: a smallest float32 exponential is so coarse
        # that its logarithm would let impossible characters through now and then.
        gumbel = rng.standard_exponential((n, 1, K))
        np.log(gumbel, gumbel)
        noise = np.empty((n, S, K), dtype=self._dtype)
        return np.multiply(gumbel, -self._scales, noise, casting="same_kind")

    def filter(self, logits: Array) -> None:
        """Make minus infinity the logits of all characters that are not let through, in place.

        Parameters
        ----------
        logits : ndarray of shape (S, K)
            Contiguous. Where some are not finite, it is left open which are let through.
        """
        flat = logits.reshape(-1)
        # Stable, so that of equally likely characters the first are let through.
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
