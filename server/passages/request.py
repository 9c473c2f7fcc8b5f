"""The request for a passage, and the limits on it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Annotated

from pydantic import Field, field_validator

from server.checkpoints.checkpoint_format import FINGERPRINT_DIGITS
from server.spec.run_spec import StrictModel, encodable

__all__ = ["MAX_PRIME", "AtUpdate", "NetworkSize", "PassageLimits", "PassageRequest"]

MAX_LENGTH = 20_000
MAX_PRIME = 10_000
MAX_TEMPERATURE = 100.0
MAX_TEMPERATURES = 10

# The time to write a character, on a machine that is neither fast nor slow: for the calls, for each
# parameter, for the random number of each character of the vocabulary, and for sorting them.
CALLS_NS = 30_000
PARAMETER_NS = 0.4
NOISE_NS = 25
SORT_NS = 100
# The time to search a text of this length for copies, for each of its characters.
SEARCH_NS = 5
# The work that counts as one passage of 1,000 characters; the default network takes less.
PASSAGE_NS = 50_000_000
# The work of one request at most.
MAX_WRITING_NS = 120_000_000_000

Temperature = Annotated[float, Field(ge=0, le=MAX_TEMPERATURE)]


class AtUpdate(StrictModel):
    """The model nearest to an update or, with a fingerprint, exactly that model."""

    update: int = Field(ge=0)
    model: Annotated[str, Field(pattern=f"^[0-9a-f]{{{FINGERPRINT_DIGITS}}}$")] | None = None


class PassageRequest(StrictModel):
    """A request for a passage.

    Attributes
    ----------
    source : str or AtUpdate
        The model: "best", "best_validation", "latest", a checkpoint id, or the model at an update.
    length : int
        In characters, 1 to 20,000.
    temperature : float
        0 takes the most likely character each time; 1 samples from the network's own distribution.
    top_k : int or None
        Sample only from this many of the most likely characters.
    top_p : float or None
        Sample only from the most likely characters whose probabilities add up to this.
    prime : str
        The text to continue; if it is empty, the text continues from the carried state.
    seed : int or None
        Of the random numbers; None draws a seed, which the answer names.
    temperatures : list of float or None
        One passage for each, all from the same seed.
    """

    source: Annotated[str, Field(min_length=1, max_length=64)] | AtUpdate = "best"
    length: int = Field(1_000, ge=1, le=MAX_LENGTH)
    temperature: Temperature = 1.0
    top_k: int | None = Field(None, ge=1)
    top_p: float | None = Field(None, gt=0, le=1)
    prime: str = Field("", max_length=MAX_PRIME)
    seed: int | None = Field(None, ge=0, lt=2**63)
    temperatures: list[Temperature] | None = Field(None, min_length=1, max_length=MAX_TEMPERATURES)

    @field_validator("prime")
    @classmethod
    def _check_encodable(cls, value: str) -> str:
        return encodable(value)

    def character_ns(self, network: NetworkSize) -> float:
        """Return about how long it takes to write a character of each text."""
        filters = self.top_k is not None or self.top_p is not None
        each = NOISE_NS + SORT_NS * filters
        once = CALLS_NS + PARAMETER_NS * network.parameters + each * network.distinct
        return once * len(self.temperatures or [self.temperature])

    def tokens(self, network: NetworkSize) -> int:
        """Return the work in passages of 1,000 characters of a small network.

        It is at least the number of passages, each rounded up to thousands of characters. The prime
        is processed once. Processing a character costs as much as writing one.
        """
        texts = len(self.temperatures or [self.temperature])
        thousands = len(self.prime) // 1_000 + ceil(self.length / 1_000) * texts
        characters = self.length + len(self.prime) / texts
        work_ns = characters * self.character_ns(network)
        work_ns += texts * SEARCH_NS * network.corpus_characters
        return max(thousands, round(work_ns / PASSAGE_NS))

    def max_length(self, network: NetworkSize) -> int:
        """Return the greatest length whose work is not too much for one request, at least 1."""
        return max(1, int(MAX_WRITING_NS / self.character_ns(network)))


@dataclass(frozen=True, slots=True)
class NetworkSize:
    """What determines the cost of a passage besides the request.

    Attributes
    ----------
    parameters : int
        Number of parameters of the network.
    distinct : int
        K.
    corpus_characters : int
        Length of the text that the passage is compared with.
    """

    parameters: int
    distinct: int
    corpus_characters: int


@dataclass(frozen=True, slots=True)
class PassageLimits:
    """Limits on passage requests.

    Attributes
    ----------
    characters : int
        Maximum length of a passage.
    prime_characters : int
        Maximum length of the prime.
    waiting : int
        Maximum number of requests that are running or waiting.
    """

    characters: int = MAX_LENGTH
    prime_characters: int = MAX_PRIME
    waiting: int = 400
