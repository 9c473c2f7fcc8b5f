"""Ten updates of every optimizer by PyTorch, saved in optimizers.json.

Needs PyTorch (`pip install torch==2.13.0`), which the tests do not:
`python -m tests.rnn.golden.make_optimizers`.

Where the definitions differ, PyTorch is configured to follow ours:

- AdaGrad has 1e-8 under the root here; PyTorch adds `eps` to the root. Its sum of squares therefore
  starts from 1e-8, and `eps` is 0.
- Adam and RMSProp add 1e-8 to the root in both; RMSProp's rho is 0.95 here, 0.99 by default there.
- `nn.RNN` has a second, redundant bias, which stays 0.
"""

import json
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

PATH = Path(__file__).with_name("optimizers.json")

K, m, T, UPDATES, CLIP = 5, 4, 6, 10, 1.0
TEXT = [int(index) for index in "0123420143210431204132014230142301432104312340124310234014320104"]

OPTIMIZERS = {
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1, initial_accumulator_value=1e-8, eps=0.0),
    "adam": lambda p: torch.optim.Adam(p, lr=0.002, betas=(0.9, 0.999), eps=1e-8),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.002, alpha=0.95, eps=1e-8),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
}


def train(optimizer):
    """Return the parameters before and after ten updates, and the losses."""
    torch.manual_seed(0)
    recurrent = nn.RNN(K, m, dtype=torch.float64)
    output = nn.Linear(m, K, dtype=torch.float64)
    nn.init.zeros_(recurrent.bias_hh_l0)
    parameters = {
        "U": recurrent.weight_ih_l0,
        "W": recurrent.weight_hh_l0,
        "b": recurrent.bias_ih_l0,
        "V": output.weight,
        "c": output.bias,
    }
    before = {name: parameter.tolist() for name, parameter in parameters.items()}
    rule = OPTIMIZERS[optimizer](list(parameters.values()))
    state, losses = torch.zeros(1, m, dtype=torch.float64), []
    for start in range(0, UPDATES * T, T):
        x = functional.one_hot(torch.tensor(TEXT[start : start + T]), K).double()
        hidden, state = recurrent(x, state)
        y = torch.tensor(TEXT[start + 1 : start + T + 1])
        loss = functional.cross_entropy(output(hidden), y, reduction="sum")
        rule.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(parameters.values(), CLIP)
        rule.step()
        state = state.detach()
        losses.append(loss.item())
    after = {name: parameter.tolist() for name, parameter in parameters.items()}
    return before, after, losses


def main():
    """Write the file."""
    golden = {
        "pytorch": torch.__version__,
        "text": TEXT,
        "vocabulary_size": K,
        "hidden_size": m,
        "sequence_length": T,
        "clip": CLIP,
    }
    for name in OPTIMIZERS:
        golden["before"], after, losses = train(name)
        golden[name] = {"losses": losses, "after": after}
    PATH.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
