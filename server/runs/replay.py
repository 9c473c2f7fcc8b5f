"""What a network writes from the same beginning with the same random numbers, whenever it is asked.

Two replays of a run, or of two runs that learn the same text, differ by learning alone: neither
luck nor the place in the book has a part in it. See docs/decisions/replay.md.
"""

from __future__ import annotations

from server.rnn.model import Model
from server.rnn.sampling import write
from server.rnn.vocabulary import Vocabulary

__all__ = ["beginning", "replay"]

SEED = 0
# Multiplications that a replay may take, some seconds: one scribe serves all runs, and the samples
# of a small network must not wait for the replays of a huge one.
MOST_PRODUCTS = 4_000_000_000


def replay(
    model: Model, vocabulary: Vocabulary, length: int, most_products: int = MOST_PRODUCTS
) -> str:
    """Return what the model writes after `beginning`, from a zero state.

    It is `length` characters, or fewer of a network so large that it would take too long: always
    as many of the same network.

    Parameters
    ----------
    model : Model
        The network as it stood at some update.
    vocabulary : Vocabulary
        The characters it knows.
    length : int
        At least 0.
    most_products : int
        How many multiplications it may take.
    """
    prime = vocabulary.encode(beginning(vocabulary))
    a_character = sum(array.size for array in model.parameters.values() if array.ndim == 2)
    length = min(length, max(1, most_products // a_character))
    return vocabulary.decode(write(model, length, seed=SEED, prime=prime))


def beginning(vocabulary: Vocabulary) -> str:
    """Return the character that is read first: a line's end, so that the text begins with a word.

    Where the network knows none, the first character that it knows.
    """
    return "\n" if "\n" in vocabulary.characters else vocabulary.characters[0]
