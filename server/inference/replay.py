"""What a network writes from the same beginning with the same random numbers, whenever it is asked.

Two replays of a run, or of two runs that learn the same text, differ by learning alone: neither
luck nor the place in the book has a part in it. See docs/decisions/replay.md.
"""

from __future__ import annotations

from pathlib import Path

from server.rnn.model import Model
from server.rnn.sampling.sampling import generate
from server.rnn.vocabulary import Vocabulary

__all__ = ["opening", "replay"]

SEED = 0
# Enough for a network to forget where in the book it stood.
OPENING_CHARACTERS = 600
LEAST_OPENING = 200
# Multiplications that a replay may take, some seconds, and its opening as many: one scribe serves
# all runs, and the samples of a small network must not wait for the replays of a huge one.
MOST_PRODUCTS = 4_000_000_000


def replay(
    model: Model,
    vocabulary: Vocabulary,
    beginning: str,
    length: int,
    most_products: int = MOST_PRODUCTS,
) -> str:
    """Return what the model writes once it has read a beginning, from the state that it carried.

    It is `length` characters, or fewer of a network so large that it would take too long: always
    as many of the same network.

    Parameters
    ----------
    model : Model
        The network as it stood at some update.
    vocabulary : Vocabulary
        The characters it knows.
    beginning : str
        Not empty; see `opening`. A huge network reads only the end of it.
    length : int
        At least 0.
    most_products : int
        How many multiplications it may take to write, and as many to read.
    """
    a_character = sum(array.size for array in model.parameters.values() if array.ndim == 2)
    most = max(1, most_products // a_character)
    prime = vocabulary.encode(beginning)[-most:]
    written = generate(model, min(length, most), seed=SEED, prime=prime)
    return vocabulary.decode(written)


def opening(corpus_path: Path) -> str:
    """Return what is read before a replay: how the text begins, up to where a line ends.

    A text whose lines are long is read to the middle of one.
    """
    with corpus_path.open(encoding="utf-8", newline="") as text:
        beginning = text.read(OPENING_CHARACTERS)
    end = beginning.rfind("\n") + 1
    return beginning[:end] if end >= LEAST_OPENING else beginning
