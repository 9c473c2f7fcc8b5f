"""The probabilities that docs/load_weights.py computes, saved for `test_weights.py`.

Needs PyTorch and safetensors (`pip install torch==2.13.0 safetensors`):
`python -m tests.standalone.golden.make_probabilities`.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch

from docs.load_weights import load, probabilities
from server.standalone.weights import write_safetensors
from tests.standalone.golden.models import CASES, PATH, TEXT, VOCABULARY, key, model


def main():
    """Write the file."""
    golden = {"pytorch": np.array(torch.__version__)}
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "weights.safetensors"
        for case in CASES:
            write_safetensors(path, model(*case), VOCABULARY, {})
            golden[key(*case)] = probabilities(*load(path), TEXT).numpy().astype(np.float64)
    np.savez_compressed(PATH, **golden)


if __name__ == "__main__":
    main()
