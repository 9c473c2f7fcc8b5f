"""The same updates in JAX: compiled one by one, and compiled as a loop over many."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.training.tasks import CLIP, LEARNING_RATE, Task, vocabulary

# Compute in the calling thread, so that its CPU time is that of the update.
jax.config.update("jax_cpu_enable_async_dispatch", False)

Arrays: TypeAlias = Any
Step: TypeAlias = Callable[[Arrays, Arrays, Arrays], tuple[Arrays, Arrays]]

# The gates of each cell.
GATES = {"rnn": 1, "gru": 3, "lstm": 4}

UPDATES_A_SCAN = 20


def rnn_step(p: Arrays, states: Arrays, inputs: Arrays) -> tuple[Arrays, Arrays]:
    """One step of the vanilla recurrence."""
    h = jnp.tanh(inputs + states[0] @ p["W"])
    return (h,), h


def gru_step(p: Arrays, states: Arrays, inputs: Arrays) -> tuple[Arrays, Arrays]:
    """One step of a gated recurrent unit, with the reset gate after the product."""
    recurrent = states[0] @ p["W"] + p["recurrent_b"]
    input_r, input_z, input_n = jnp.split(inputs, 3, axis=-1)
    recurrent_r, recurrent_z, recurrent_n = jnp.split(recurrent, 3, axis=-1)
    r, z = jax.nn.sigmoid(input_r + recurrent_r), jax.nn.sigmoid(input_z + recurrent_z)
    n = jnp.tanh(input_n + r * recurrent_n)
    h = n + z * (states[0] - n)
    return (h,), h


def lstm_step(p: Arrays, states: Arrays, inputs: Arrays) -> tuple[Arrays, Arrays]:
    """One step of a long short-term memory."""
    i, f, g, o = jnp.split(inputs + states[0] @ p["W"], 4, axis=-1)
    memory = jax.nn.sigmoid(f) * states[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(memory)
    return (h, memory), h


STEPS: dict[str, Step] = {"rnn": rnn_step, "gru": gru_step, "lstm": lstm_step}


def loss(step: Step, p: Arrays, states: Arrays, x: Arrays, y: Arrays) -> tuple[Arrays, Arrays]:
    """Return the loss of sequences and the states after them."""
    states, hidden = lax.scan(partial(step, p), states, p["U"][x] + p["b"])
    log_p = jax.nn.log_softmax(hidden @ p["V"] + p["c"])
    picked = jnp.take_along_axis(log_p, y[..., None], axis=-1)
    return -picked.sum() / x.shape[1], states


def update(step: Step, training: Arrays, sequence: Arrays) -> tuple[Arrays, Arrays]:
    """Return parameters, memory and states after an update, and its loss."""
    p, memory, states = training
    (nats, states), gradients = jax.value_and_grad(partial(loss, step), has_aux=True)(
        p, states, *sequence
    )
    gradients = jax.tree.map(lambda g: jnp.clip(g, -CLIP, CLIP), gradients)
    memory = jax.tree.map(lambda mem, g: mem + g * g, memory, gradients)
    p = jax.tree.map(
        lambda p, g, mem: p - LEARNING_RATE * g / jnp.sqrt(mem + 1e-8), p, gradients, memory
    )
    return (p, memory, states), nats


class JAXTrainer:
    """Trains by single compiled updates, or by a compiled scan over many."""

    def __init__(self, task: Task) -> None:
        K, m, gates = len(vocabulary()), task.hidden_size, GATES[task.cell]
        rng = np.random.default_rng(0)
        shapes = {
            "U": (K, gates * m),
            "W": (m, gates * m),
            "b": (gates * m,),
            "recurrent_b": (gates * m,),
            "V": (m, K),
            "c": (K,),
        }
        if task.cell != "gru":
            del shapes["recurrent_b"]
        p = {
            name: jnp.asarray(0.01 * rng.standard_normal(shape), jnp.float32)
            for name, shape in shapes.items()
        }
        states = tuple(jnp.zeros((task.batch_size, m)) for _ in range(1 + (task.cell == "lstm")))
        self.training = (p, jax.tree.map(jnp.zeros_like, p), states)
        self.sequences = task.sequences()
        one = partial(update, STEPS[task.cell])
        self._update = jax.jit(one, donate_argnums=0)
        self._scan = jax.jit(partial(lax.scan, one), donate_argnums=0)

    def update(self) -> float:
        """Make one update and return its loss in nats."""
        x, y = next(self.sequences)
        sequence = (np.asarray(x, np.int32), np.asarray(y, np.int32))
        self.training, nats = self._update(self.training, sequence)
        return float(nats)

    def scan(self) -> float:
        """Make `UPDATES_A_SCAN` updates and return the loss of the last."""
        xs, ys = zip(*itertools.islice(self.sequences, UPDATES_A_SCAN), strict=True)
        sequences = (np.array(xs, np.int32), np.array(ys, np.int32))
        self.training, nats = self._scan(self.training, sequences)
        return float(nats[-1])
