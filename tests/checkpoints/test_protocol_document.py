"""A checkpoint is continued by the words of docs/protocol.md alone, with plain NumPy.

Nothing of the program is imported but the command line, which makes the checkpoints.
"""

import json
import zipfile
import zlib

import numpy as np
import pytest

from tests.training import run_command

TEXT = "abcab cabcb aacbc bbaca " * 4 + "ab"
UPDATES, MORE = 7, 30
STEP = 1e-30


def logistic(a):
    return 1 / (1 + np.exp(-a))


def cell(name, parameters, layer, x, states):
    """One step of a layer: the new states, h first; arrays have a row for each stream."""
    h, *others = states
    U, W, b = (parameters[f"{symbol}{layer}"] for symbol in "UWb")
    m = h.shape[1]
    if name == "rnn":
        return [np.tanh(h @ W.T + x @ U.T + b)]
    if name == "gru":
        from_x, from_h = x @ U.T + b, h @ W.T
        r, z = (logistic(from_x[:, k : k + m] + from_h[:, k : k + m]) for k in (0, m))
        q = from_h[:, 2 * m :] + parameters[f"d{layer}"]
        n = np.tanh(from_x[:, 2 * m :] + r * q)
        return [(1 - z) * n + z * h]
    a = h @ W.T + x @ U.T + b
    g = np.tanh(a[:, :m])
    i, f, o = (logistic(a[:, k * m : (k + 1) * m]) for k in (1, 2, 3))
    c = f * others[0] + i * g
    return [o * np.tanh(c), c]


class Continued:
    """A run that goes on from a checkpoint."""

    def __init__(self, path, text):
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        self.meta = meta = json.loads(str(arrays.pop("meta")))
        self.spec, self.now = meta["spec"], meta["trainer"]
        self.parameters = self._named(arrays, "parameters.")
        self.states = self._named(arrays, "state.")
        self.memories = {
            memory: self._named(arrays, f"optimizer.{memory}.")
            for memory in {name.split(".")[1] for name in arrays if name.startswith("optimizer.")}
        }
        index_of = {character: index for index, character in enumerate(meta["vocabulary"])}
        indices = np.array([index_of[character] for character in text])
        n = len(indices) - int(self.spec["validation_fraction"] * len(indices))
        streams = self.spec["batch_size"]
        self.length = n // streams
        self.streams = indices[: streams * self.length].reshape(streams, self.length)
        self.steps = self.now["optimizer_steps"]
        self.rate, self.position = self.now["learning_rate"], self.now["position"]
        self.smooth, self.epoch = self.now["smooth_loss"], self.now["epoch"]

    @staticmethod
    def _named(arrays, prefix):
        return {
            name.removeprefix(prefix): array.copy()
            for name, array in arrays.items()
            if name.startswith(prefix)
        }

    def _layers(self):
        count = self.spec["layers"]
        return [""] if count == 1 else [str(layer) for layer in range(1, count + 1)]

    def _forward(self, parameters):
        """The loss, and the states after the sequence."""
        T = self.spec["sequence_length"]
        symbols = "hc" if self.spec["cell"] == "lstm" else "h"
        states = {
            layer: [self.states[f"{symbol}{layer}"] for symbol in symbols]
            for layer in self._layers()
        }
        K, loss = len(self.meta["vocabulary"]), 0.0
        for t in range(self.position, self.position + T):
            x = np.eye(K)[self.streams[:, t]]
            for layer in self._layers():
                states[layer] = cell(self.spec["cell"], parameters, layer, x, states[layer])
                x = states[layer][0]
            logits = x @ parameters["V"].T + parameters["c"]
            p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            y = self.streams[:, t + 1]
            loss = loss - np.log(p[np.arange(len(y)), y]).mean()
        after = {
            f"{symbol}{layer}": state
            for layer, found in states.items()
            for symbol, state in zip(symbols, found, strict=True)
        }
        return loss, after

    def _gradient(self):
        """By the complex step: exact, and without a formula of its own."""
        gradient = {}
        for name, values in self.parameters.items():
            gradient[name] = np.empty_like(values)
            for place in np.ndindex(values.shape):
                moved = values.astype(complex)
                moved[place] += STEP * 1j
                gradient[name][place] = (
                    self._forward(self.parameters | {name: moved})[0].imag / STEP
                )
        return gradient

    def _step(self, name, g):
        e, t, optimizer = self.rate, self.steps, self.spec["optimizer"]
        memory = {key: arrays[name] for key, arrays in self.memories.items()}
        if optimizer == "adagrad":
            memory["memory"] += g**2
            return e * g / np.sqrt(memory["memory"])
        if optimizer == "adam":
            memory["gradients"][:] = 0.9 * memory["gradients"] + g
            memory["squares"][:] = 0.999 * memory["squares"] + g**2
            mean = 0.1 * memory["gradients"] / (1 - 0.9**t)
            return e * mean / (np.sqrt(0.001 * memory["squares"] / (1 - 0.999**t)) + 1e-8)
        if optimizer == "rmsprop":
            memory["squares"][:] = 0.95 * memory["squares"] + g**2
            return e * g / (np.sqrt(0.05 * memory["squares"]) + 1e-8)
        memory["velocity"][:] = 0.9 * memory["velocity"] + g
        return e * memory["velocity"]

    def _order(self):
        if self.spec["order"] == "sequential":
            return None
        sequences = (self.length - 1) // self.spec["sequence_length"]
        return np.random.RandomState(self.epoch).permutation(sequences)

    def update(self):
        loss, after = self._forward(self.parameters)
        gradient, clip = self._gradient(), self.spec["clip"]
        if self.spec["clip_mode"] == "value":
            gradient = {name: np.clip(g, -clip, clip) for name, g in gradient.items()}
        else:
            norm = np.sqrt(sum((g**2).sum() for g in gradient.values()))
            gradient = {name: g * min(1, clip / norm) for name, g in gradient.items()}
        self.steps += 1
        for name, g in gradient.items():
            self.parameters[name] -= self._step(name, g)
        self.states = after
        T = self.spec["sequence_length"]
        self.position += T
        order = self._order()
        jumps, over = False, self.length - self.position < T + 1
        if order is not None:
            place = int(np.flatnonzero(order == self.position // T - 1)[0]) + 1
            over = place == len(order)
            if not over:
                jumps = order[place] != order[place - 1] + 1
                self.position = int(order[place]) * T
        if jumps:
            self.states = {name: np.zeros_like(state) for name, state in after.items()}
        if over:
            self.epoch += 1
            order = self._order()
            self.position = 0 if order is None else int(order[0]) * T
            self.states = {name: np.zeros_like(state) for name, state in after.items()}
            self.rate *= self.spec["learning_rate_decay"]
        s = self.spec["loss_smoothing"]
        if s is None:
            s = max(0.9, 1 - T * self.spec["batch_size"] / 25_000)
        self.smooth = s * self.smooth + (1 - s) * loss
        return loss


@pytest.mark.process
@pytest.mark.parametrize(
    "more",
    [
        {"cell": "rnn", "optimizer": "adagrad"},
        {"cell": "gru", "optimizer": "adam", "batch-size": 3, "order": "shuffled"},
        {"cell": "lstm", "optimizer": "rmsprop", "clip-mode": "norm", "clip": 0.5},
        {"cell": "lstm", "layers": 2, "optimizer": "sgd", "validation-fraction": 0.2},
    ],
    ids=lambda more: more["cell"] + str(more.get("layers", "")),
)
def test_a_checkpoint_is_continued_by_the_document(tmp_path, more):
    book, out = tmp_path / "book.txt", tmp_path / "out"
    book.write_text(TEXT, encoding="utf-8")
    options = {
        "hidden-size": 3,
        "sequence-length": 5,
        "dtype": "float64",
        "init-scale": 0.3,
        "learning-rate-decay": 0.9,
        "learning-rate": 0.05,
        "sample-length": 1,
    }
    words = [word for name, value in (options | more).items() for word in (f"--{name}", value)]
    first = ("train", book, "--out", out, "--updates", UPDATES, *words)
    assert run_command(*first).returncode == 0
    continued = Continued(out / "checkpoint.npz", TEXT)
    assert continued.now["updates"] == UPDATES
    first_index = continued.streams[0, continued.position]
    assert continued.meta["next_index"] == first_index
    with zipfile.ZipFile(out / "checkpoint.npz") as archive:
        for name, checksum in continued.meta["parts"].items():
            assert zlib.crc32(archive.read(f"{name}.npy")) == checksum
    last = UPDATES + MORE
    resumed = run_command("train", book, "--out", out, "--resume", "--updates", last)
    assert resumed.returncode == 0, resumed.stderr
    rows = [row.split(",") for row in (out / "losses.csv").read_text().splitlines()[1:]]
    epochs = {row[1] for row in rows[UPDATES:]}
    assert len(epochs) > 1
    for row in rows[UPDATES:]:
        assert int(row[2]) == continued.position
        assert continued.update() == pytest.approx(float(row[3]), rel=1e-9)
        assert continued.smooth == pytest.approx(float(row[4]), rel=1e-9)
    end = Continued(out / "checkpoint.npz", TEXT)
    for name, values in end.parameters.items():
        assert continued.parameters[name] == pytest.approx(values, rel=1e-7, abs=1e-10)
    for memory, arrays in end.memories.items():
        for name, values in arrays.items():
            assert continued.memories[memory][name] == pytest.approx(values, rel=1e-7, abs=1e-10)
