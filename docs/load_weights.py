"""Load the weights of a run in PyTorch: `python load_weights.py FILE.safetensors "Once upon"`."""

import sys

import torch
from safetensors import safe_open
from torch import nn

# For each block of m rows in PyTorch's U, W and b, the block here: its LSTM has i, f, g, o.
BLOCKS = {"rnn": [0], "gru": [0, 1, 2], "lstm": [1, 2, 0, 3]}
LAYERS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


def load(path):
    """Return the layers, the output, the state to start from, and the vocabulary."""
    with safe_open(path, "pt") as file:
        meta = file.metadata()
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    cell, count, V = meta["cell"], int(meta["layers"]), arrays["parameters.V"]
    K, m = V.shape
    numbers = [""] if count == 1 else [str(layer + 1) for layer in range(count)]
    theirs = {}
    for layer, number in enumerate(numbers):
        for name, symbol in {"weight_ih": "U", "weight_hh": "W", "bias_ih": "b"}.items():
            blocks = arrays[f"parameters.{symbol}{number}"].unflatten(0, (-1, m))
            theirs[f"{name}_l{layer}"] = blocks[BLOCKS[cell]].flatten(0, 1)
        second = theirs[f"bias_hh_l{layer}"] = torch.zeros_like(theirs[f"bias_ih_l{layer}"])
        if cell == "gru":
            second[2 * m :] = arrays[f"parameters.d{number}"]
    layers, output = LAYERS[cell](K, m, count).to(V.dtype), nn.Linear(m, K).to(V.dtype)
    layers.load_state_dict(theirs)
    output.load_state_dict({"weight": V, "bias": arrays["parameters.c"]})
    h = torch.stack([arrays[f"state.h{number}"] for number in numbers])
    if cell != "lstm":
        return layers, output, h, meta["vocabulary"]
    c = torch.stack([arrays[f"state.c{number}"] for number in numbers])
    return layers, output, (h, c), meta["vocabulary"]


@torch.no_grad()
def probabilities(layers, output, state, vocabulary, text):
    """Return the probabilities of the character after each one of `text`, one row for each."""
    x = torch.tensor([vocabulary.index(character) for character in text])
    x = nn.functional.one_hot(x, len(vocabulary)).to(output.weight.dtype)
    return output(layers(x, state)[0]).softmax(-1)


if __name__ == "__main__":
    print(probabilities(*load(sys.argv[1]), sys.argv[2])[-1])
