"""Ten updates of every cell by PyTorch, saved in networks.npz for `test_golden_networks.py`.

Needs PyTorch (`pip install torch==2.13.0`), which the tests do not:
`python -m tests.rnn.golden.make_networks`.

Where the definitions differ, PyTorch is mapped to ours:

- Its layers have a second, redundant bias, which stays 0. Only a GRU's candidate needs both: the
  second is multiplied by the reset gate and is d here.
- The rows of its LSTM are in the order i, f, g, o; here g, i, f, o. Those of its GRU are r, z, n in
  both, and an update gate of 1 keeps the old state in both.
- Its loss is summed over all steps and streams, and divided by the number of streams.
- AdaGrad's 1e-8 is under the root here: see `make_optimizers`.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from server.rnn.architecture import Architecture
from tests.rnn.golden.make_optimizers import OPTIMIZERS
from tests.rnn.golden.networks import CASES, CLIP, PATH, UPDATES, K, T, fill, m, text

# The blocks of m rows here, in PyTorch's order.
ROWS = {"rnn": [0], "gru": [0, 1, 2], "lstm": [1, 2, 0, 3]}
MODULES = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class Oracle:
    """PyTorch's network of a case, with its parameters by our names."""

    def __init__(self, case):
        self.case = case
        self.sizes = Architecture(
            vocabulary_size=K, hidden_size=m, cell=case.cell, layers=case.layers
        )
        self.recurrent = MODULES[case.cell](K, m, case.layers, dtype=torch.float64)
        self.output = nn.Linear(m, K, dtype=torch.float64)
        for layer in range(case.layers):
            second = getattr(self.recurrent, f"bias_hh_l{layer}")
            nn.init.zeros_(second)
            ours = torch.zeros_like(second)
            if case.cell == "gru":
                ours[2 * m :] = 1.0
            second.register_hook(lambda gradient, ours=ours: gradient * ours)
        self.parameters = [*self.recurrent.parameters(), *self.output.parameters()]

    def _of(self, symbol, layer):
        """Return a parameter, its rows in our order, and which of them are ours."""
        names = {"U": "weight_ih", "W": "weight_hh", "b": "bias_ih", "d": "bias_hh"}
        theirs = getattr(self.recurrent, f"{names[symbol]}_l{layer}")
        blocks = torch.arange(len(theirs)).reshape(-1, m)
        rows = torch.empty_like(blocks)
        rows[ROWS[self.case.cell]] = blocks
        return theirs, rows[2] if symbol == "d" else rows.reshape(-1)

    def _all(self):
        for name in self.sizes.parameter_shapes:
            if name in "Vc":
                theirs = self.output.weight if name == "V" else self.output.bias
                yield name, theirs, torch.arange(len(theirs))
            else:
                yield name, *self._of(name[0], int(name[1:] or 1) - 1)

    def load(self, values):
        with torch.no_grad():
            for name, theirs, rows in self._all():
                theirs[rows] = torch.tensor(values[name])

    def values(self):
        return {name: theirs.detach()[rows].numpy() for name, theirs, rows in self._all()}

    def gradients(self):
        return {name: theirs.grad[rows].numpy().copy() for name, theirs, rows in self._all()}

    def train(self):
        """Return the losses, the gradients of the first update, and the last parameters."""
        B = self.case.batch_size
        parts = torch.tensor(text(B)).reshape(B, -1).T
        rule = OPTIMIZERS[self.case.optimizer](self.parameters)
        state, losses, gradients = None, [], None
        for update in range(UPDATES):
            start = update % 5 * T
            if start == 0:
                state = None
            x = functional.one_hot(parts[start : start + T], K).double()
            y = parts[start + 1 : start + T + 1]
            hidden, state = self.recurrent(x, state)
            logits = self.output(hidden).reshape(-1, K)
            loss = functional.cross_entropy(logits, y.reshape(-1), reduction="sum") / B
            rule.zero_grad()
            loss.backward()
            gradients = gradients or self.gradients()
            nn.utils.clip_grad_value_(self.parameters, CLIP)
            rule.step()
            state = tuple(s.detach() for s in state) if type(state) is tuple else state.detach()
            losses.append(loss.item())
        return losses, gradients, self.values()


def main():
    """Write the file."""
    golden = {"pytorch": np.array(torch.__version__)}
    for case in CASES:
        oracle = Oracle(case)
        oracle.load(fill(oracle.sizes.parameter_shapes))
        losses, gradients, after = oracle.train()
        golden[f"{case.key}-losses"] = np.array(losses)
        if case.optimizer == "adagrad":
            golden[f"{case.key}-gradients"] = flat(gradients)
        golden[f"{case.key}-after"] = flat(after)
    np.savez_compressed(PATH, **golden)


def flat(values):
    """Return all numbers in one row, parameter by parameter."""
    return np.concatenate([values[name].ravel() for name in values])


if __name__ == "__main__":
    main()
