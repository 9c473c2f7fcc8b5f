"""Helpers for the tests of the trainer."""

import copy
import json
import math
from typing import Any

import numpy as np

from server.rnn.cells import CELLS
from server.rnn.reference import network as reference
from server.rnn.training.trainer import Trainer, TrainerSettings


def random_text(n=200, K=7, seed=0):
    return np.random.default_rng(seed).integers(0, K, n).astype(np.uint16)


def make_trainer(n=200, K=7, **changes):
    small = {"hidden_size": 6, "sequence_length": 8, **changes}
    return Trainer(random_text(n, K), K, TrainerSettings(**small))


def reference_losses(architecture, parameters, state, x, y, masks=()):
    """The losses (T, B) and the states (B, m) of B streams by the reference; x and y are (T, B)."""
    cell, one_hot = CELLS[architecture.cell].reference, np.eye(architecture.vocabulary_size)
    losses, after = [], []
    for b in range(x.shape[1]):
        p, last, _ = reference.forward(
            cell,
            dict(parameters.items()),
            one_hot[x[:, b]],
            {name: view[b] for name, view in state.items()},
            masks={f"{layer}": mask[:, b] for layer, mask in enumerate(masks, start=2)},
        )
        losses.append(reference.losses(p, one_hot[y[:, b]]))
        after.append(last)
    return np.array(losses).T, {name: np.array([a[name] for a in after]) for name in after[0]}


def bytes_of(trainer):
    arrays, scalars = trainer.state()
    return {name: array.tobytes() for name, array in arrays.items()}, json.dumps(scalars)


class PlainAdaGrad:
    memory = 0.0

    def __call__(self, g):
        self.memory = self.memory + g**2
        return g / np.sqrt(self.memory + 1e-8)


class PlainAdam:
    m = v = 0.0
    t = 0

    def __call__(self, g):
        self.t += 1
        self.m = 0.9 * self.m + 0.1 * g
        self.v = 0.999 * self.v + 0.001 * g**2
        return self.m / (1 - 0.9**self.t) / (np.sqrt(self.v / (1 - 0.999**self.t)) + 1e-8)


class PlainRMSProp:
    v = 0.0

    def __call__(self, g):
        self.v = 0.95 * self.v + 0.05 * g**2
        return g / (np.sqrt(self.v) + 1e-8)


class PlainSGD:
    velocity = 0.0

    def __call__(self, g):
        self.velocity = 0.9 * self.velocity + g
        return self.velocity


# Each returns the step of a learning rate of 1.
PLAIN_RULES: dict[str, Any] = {
    "adagrad": PlainAdaGrad,
    "adam": PlainAdam,
    "rmsprop": PlainRMSProp,
    "sgd": PlainSGD,
}


class PlainTrainer:
    """The trainer written from its definitions in plain NumPy; it copies every best model."""

    def __init__(self, trainer):
        self.settings = trainer.settings
        self.text = trainer._batches._streams[0]
        self.p = {name: view.copy() for name, view in trainer.parameters.items()}
        self.rules = {name: PLAIN_RULES[self.settings.optimizer]() for name in self.p}
        self.h = np.zeros(self.settings.hidden_size, dtype=self.settings.dtype)
        self.position, self.epoch, self.updates = 0, 1, 0
        self.smooth = self.best = None

    def gradients(self, x, y):
        p, h = self.p, [self.h]
        probabilities, loss = [], 0.0
        for x_t, y_t in zip(x, y, strict=True):
            h.append(np.tanh(p["W"] @ h[-1] + p["U"][:, x_t] + p["b"]))
            o = p["V"] @ h[-1] + p["c"]
            e = np.exp(o - o.max())
            probabilities.append(e / e.sum())
            loss -= math.log(probabilities[-1][y_t])
        g = {name: np.zeros_like(view) for name, view in p.items()}
        carried = np.zeros_like(self.h)
        for t in reversed(range(len(x))):
            d_o = probabilities[t]
            d_o[y[t]] -= 1
            g["V"] += np.outer(d_o, h[t + 1])
            g["c"] += d_o
            d_a = (p["V"].T @ d_o + carried) * (1 - h[t + 1] ** 2)
            g["W"] += np.outer(d_a, h[t])
            g["U"][:, x[t]] += d_a
            g["b"] += d_a
            carried = p["W"].T @ d_a
        return loss, g, h[-1]

    def clip(self, g):
        limit = self.settings.clip
        if limit is None:
            return g
        if self.settings.clip_mode == "value":
            return {name: np.clip(view, -limit, limit) for name, view in g.items()}
        norm = math.sqrt(sum(float((view**2).sum()) for view in g.values()))
        return {name: view * min(1.0, limit / norm) for name, view in g.items()}

    def update(self):
        T = self.settings.sequence_length
        x = self.text[self.position : self.position + T]
        y = self.text[self.position + 1 : self.position + T + 1]
        loss, g, self.h = self.gradients(x, y)
        rate = self.settings.learning_rate * self.settings.learning_rate_decay ** (self.epoch - 1)
        for name, view in self.clip(g).items():
            self.p[name] -= rate * self.rules[name](view)
        self.position += T
        self.updates += 1
        if len(self.text) - self.position < T + 1:
            self.position, self.epoch, self.h = 0, self.epoch + 1, np.zeros_like(self.h)
        s = max(0.9, 1 - T / 25_000)
        if self.settings.loss_smoothing is not None:
            s = self.settings.loss_smoothing
        self.smooth = loss if self.smooth is None else s * self.smooth + (1 - s) * loss
        if self.best is None or self.smooth < self.best["smooth"]:
            self.best = {
                "smooth": self.smooth,
                "update": self.updates,
                "p": copy.deepcopy(self.p),
                "h": self.h.copy(),
                "next": int(self.text[self.position]),
            }
        return loss
