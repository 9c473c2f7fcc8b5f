"""The textbook loop: a character-level RNN as it is taught.

One-hot column vectors, a dictionary entry for each time step, an outer product for each gradient
of each step, a loop over parameters to clip and to update, float64 throughout. It is the reference
of the comparison, so it is written in the usual way, neither slower nor faster.

References
----------
.. [1] A. Karpathy, "Minimal character-level language model with a vanilla recurrent neural
   network, in Python/numpy" (min-char-rnn), 2015.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class TextbookTrainer:
    """Trains on a text, `sequence_length` characters an update.

    Parameters
    ----------
    text : str
        At least ``sequence_length + 1`` characters.
    hidden_size, sequence_length : int
        m and T.
    learning_rate : float
        AdaGrad's eta.
    smoothing : float
        The factor of the smooth loss.
    """

    def __init__(
        self,
        text: str,
        hidden_size: int = 100,
        sequence_length: int = 25,
        learning_rate: float = 0.1,
        smoothing: float = 0.999,
    ) -> None:
        rng = np.random.default_rng(0)
        characters = sorted(set(text))
        K, m = len(characters), hidden_size
        self.text = text
        self.index_of = {character: index for index, character in enumerate(characters)}
        self.U: Array = 0.01 * rng.standard_normal((m, K))
        self.W: Array = 0.01 * rng.standard_normal((m, m))
        self.V: Array = 0.01 * rng.standard_normal((K, m))
        self.b: Array = np.zeros((m, 1))
        self.c: Array = np.zeros((K, 1))
        self.parameters = [self.U, self.W, self.V, self.b, self.c]
        self.memories = [np.zeros_like(parameter) for parameter in self.parameters]
        self.vocabulary_size = K
        self.sequence_length = sequence_length
        self.learning_rate = learning_rate
        self.smoothing = smoothing
        self.h: Array = np.zeros((m, 1))
        self.position = 0
        self.smooth_loss = -np.log(1.0 / K) * sequence_length

    def loss_and_gradients(
        self, inputs: list[int], targets: list[int]
    ) -> tuple[float, list[Array], Array]:
        """Return the loss of a sequence, its gradients and the last hidden state."""
        xs: dict[int, Array] = {}
        hs: dict[int, Array] = {-1: np.copy(self.h)}
        ps: dict[int, Array] = {}
        loss = 0.0
        for t in range(len(inputs)):
            xs[t] = np.zeros((self.vocabulary_size, 1))
            xs[t][inputs[t]] = 1.0
            hs[t] = np.tanh(np.dot(self.U, xs[t]) + np.dot(self.W, hs[t - 1]) + self.b)
            o = np.dot(self.V, hs[t]) + self.c
            ps[t] = np.exp(o) / np.sum(np.exp(o))
            loss += -np.log(ps[t][targets[t], 0])
        dU, dW, dV = np.zeros_like(self.U), np.zeros_like(self.W), np.zeros_like(self.V)
        db, dc = np.zeros_like(self.b), np.zeros_like(self.c)
        dh_next = np.zeros_like(hs[0])
        for t in reversed(range(len(inputs))):
            do = np.copy(ps[t])
            do[targets[t]] -= 1.0
            dV += np.dot(do, hs[t].T)
            dc += do
            dh = np.dot(self.V.T, do) + dh_next
            da = (1.0 - hs[t] * hs[t]) * dh
            db += da
            dU += np.dot(da, xs[t].T)
            dW += np.dot(da, hs[t - 1].T)
            dh_next = np.dot(self.W.T, da)
        gradients = [dU, dW, dV, db, dc]
        for gradient in gradients:
            np.clip(gradient, -5.0, 5.0, out=gradient)
        return float(loss), gradients, hs[len(inputs) - 1]

    def update(self) -> float:
        """Learn from the next sequence and return its loss in nats."""
        if self.position + self.sequence_length + 1 > len(self.text):
            self.position, self.h = 0, np.zeros_like(self.h)
        end = self.position + self.sequence_length
        inputs = [self.index_of[c] for c in self.text[self.position : end]]
        targets = [self.index_of[c] for c in self.text[self.position + 1 : end + 1]]
        loss, gradients, self.h = self.loss_and_gradients(inputs, targets)
        for parameter, gradient, memory in zip(
            self.parameters, gradients, self.memories, strict=True
        ):
            memory += gradient * gradient
            parameter += -self.learning_rate * gradient / np.sqrt(memory + 1e-8)
        self.smooth_loss = self.smoothing * self.smooth_loss + (1.0 - self.smoothing) * loss
        self.position = end
        return loss

    def generate(self, length: int) -> list[int]:
        """Return `length` characters generated from the hidden state and the next character."""
        rng = np.random.default_rng(0)
        x = np.zeros((self.vocabulary_size, 1))
        x[self.index_of[self.text[self.position]]] = 1.0
        h, characters = self.h, []
        for _ in range(length):
            h = np.tanh(np.dot(self.U, x) + np.dot(self.W, h) + self.b)
            o = np.dot(self.V, h) + self.c
            p = np.exp(o) / np.sum(np.exp(o))
            index = int(rng.choice(self.vocabulary_size, p=p.ravel()))
            x = np.zeros((self.vocabulary_size, 1))
            x[index] = 1.0
            characters.append(index)
        return characters
