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


def replay(model: Model, vocabulary: Vocabulary, length: int) -> str:
    """Return `length` characters that the model writes after `beginning`, from a zero state.

    Parameters
    ----------
    model : Model
        The network as it stood at some update.
    vocabulary : Vocabulary
        The characters it knows.
    length : int
        At least 0.
    """
    prime = vocabulary.encode(beginning(vocabulary))
    return vocabulary.decode(write(model, length, seed=SEED, prime=prime))


def beginning(vocabulary: Vocabulary) -> str:
    """Return the character that is read first: a line's end, so that the text begins with a word.

    Where the network knows none, the first character that it knows.
    """
    return "\n" if "\n" in vocabulary.characters else vocabulary.characters[0]
