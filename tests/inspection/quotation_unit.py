"""A text with quotations, and a network with a unit that follows them."""

import numpy as np

from server.checkpoints.checkpoint_format import load_model, model_contents
from server.checkpoints.npz import read_meta, write_archive
from server.rnn.model import Model


def book(seed, words=4_000):
    """A text of random words, some of them in quotation marks."""
    rng = np.random.default_rng(seed)
    some = ["the", "sea", "Orla", "lamp", "in", "said", "boats", "a", "two", "fog"]
    pieces = []
    while words > 0:
        length = int(rng.integers(2, 12))
        sentence = " ".join(some[k] for k in rng.integers(0, len(some), length))
        mark = ".!?"[rng.integers(3)]
        pieces.append(f"“{sentence}{mark}” " if rng.random() < 0.4 else f"{sentence}{mark} ")
        words -= length
    return "".join(pieces)


def quotation_model(vocabulary, units=20):
    """A network whose unit 0 an opening mark sets and a closing one resets; the others random."""
    rng = np.random.default_rng(3)
    K, m = len(vocabulary), units
    U, W = 0.3 * rng.standard_normal((m, K)), 0.1 * rng.standard_normal((m, m))
    U[0], W[0], W[0, 0] = 0.0, 0.0, 3.0
    U[0, vocabulary.characters.index("“")] = 20.0
    U[0, vocabulary.characters.index("”")] = -20.0
    return Model(
        parameters={"U": U, "W": W, "b": np.zeros(m), "V": np.zeros((K, m)), "c": np.zeros(K)},
        state={"h": np.zeros(m)},
        next_index=0,
        update=100,
        smooth_loss=1.0,
    )


def teach_quotation_marks(data_dir, run, update):
    """Replace the parameters in the snapshot of a run at an update by those of such a network."""
    path = data_dir / "runs" / run / "snapshots" / f"{update}.npz"
    model, vocabulary = load_model(path, "latest")
    arrays, meta = model_contents(model, vocabulary, read_meta(path)["spec"])
    for name, array in quotation_model(vocabulary, model.hidden_size).parameters.items():
        arrays[f"parameters.{name}"] = array
    write_archive(path, arrays, meta, durable=False)
