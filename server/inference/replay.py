"""Text written after the same opening with the same random numbers at every update.

Two replays of a run, or of two runs on the same text, differ only by what the networks have
learned, not by chance or by the position in the text. See docs/decisions/replay.md.
"""

from __future__ import annotations

from pathlib import Path

from server.rnn.model import Model
from server.rnn.sampling.sampling import generate
from server.rnn.vocabulary import Vocabulary

__all__ = ["opening", "replay"]

SEED = 0
OPENING_CHARACTERS = 600
"""Enough for a network to forget the position from which its state comes."""
MIN_OPENING_CHARACTERS = 200
MAX_PRODUCTS = 4_000_000_000
"""Multiplications that writing a replay may take, and reading its opening as many: some seconds.

One inference process serves all runs, so the samples of a small network would wait for the replays
of a huge one."""


def replay(
    model: Model,
    vocabulary: Vocabulary,
    beginning: str,
    length: int,
    max_products: int = MAX_PRODUCTS,
) -> str:
    """Return what the model writes after an opening, starting from its carried state.

    The text has `length` characters; with a network so large that this would take too long, it has
    fewer, but always the same number for the same network.

    Parameters
    ----------
    model : Model
        The network at some update.
    vocabulary : Vocabulary
        The characters it knows.
    beginning : str
        Not empty; see `opening`. A huge network reads only its end.
    length : int
        At least 0.
    max_products : int
        Multiplications that writing may take, and reading as many.
    """
    per_character = sum(array.size for array in model.parameters.values() if array.ndim == 2)
    most = max(1, max_products // per_character)
    prime = vocabulary.encode(beginning)[-most:]
    written = generate(model, min(length, most), seed=SEED, prime=prime)
    return vocabulary.decode(written)


def opening(corpus_path: Path, characters_to_learn: int) -> str:
    """Return the opening of a text, which the network reads before a replay.

    It ends with a line, unless the lines are long, and has no characters that are held out.

    Parameters
    ----------
    corpus_path : pathlib.Path
        The text.
    characters_to_learn : int
        The length of its part that is not held out.
    """
    with corpus_path.open(encoding="utf-8", newline="") as text:
        beginning = text.read(min(OPENING_CHARACTERS, characters_to_learn))
    end = beginning.rfind("\n") + 1
    return beginning[:end] if end >= MIN_OPENING_CHARACTERS else beginning
