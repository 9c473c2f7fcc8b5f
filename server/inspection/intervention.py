"""Holding a unit at a value while a passage is written: the request for it, and the answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from server.inspection.models import ProbedModel
from server.passages.request import MAX_PRIME, MAX_TEMPERATURE, AtUpdate, PassageRequest
from server.spec.run_spec import SpecError, StrictModel, encodable
from server.spec.schemas import ApiModel

__all__ = ["MAX_SEED", "Intervention", "InterventionRequest"]

MAX_LENGTH = 1_000
MAX_SEED = 2**53
"""JavaScript represents integers exactly up to this, and the page shows the seed."""


class InterventionRequest(StrictModel):
    """A request to write a passage with and without a unit held at a value.

    Attributes
    ----------
    source : str or AtUpdate
        As in a probe request.
    layer : int or None
        The layer of the unit, from 0; None: the last one.
    unit : int
        From 0.
    value : float
        The activation of the unit after every step, -1 to 1.
    length : int
        In characters, 1 to 1,000.
    temperature : float
        0 takes the most likely character each time.
    seed : int or None
        Of the random numbers; None draws a seed, which the answer names.
    prime : str
        The text to continue; it is read without the hold. If it is empty, the text continues from
        the carried state.
    """

    source: Annotated[str, Field(min_length=1, max_length=64)] | AtUpdate = "latest"
    layer: int | None = Field(None, ge=0)
    unit: int = Field(ge=0)
    value: float = Field(ge=-1, le=1)
    length: int = Field(300, ge=1, le=MAX_LENGTH)
    temperature: float = Field(1.0, ge=0, le=MAX_TEMPERATURE)
    seed: int | None = Field(None, ge=0, lt=MAX_SEED)
    prime: str = Field("", max_length=MAX_PRIME)

    @field_validator("prime")
    @classmethod
    def _check_encodable(cls, value: str) -> str:
        return encodable(value)

    def check(self, layers: int, hidden_size: int) -> None:
        """Check the unit.

        Parameters
        ----------
        layers, hidden_size : int
            Of the network.

        Raises
        ------
        SpecError
            There is no such layer or unit.
        """
        if self.layer is not None and self.layer >= layers:
            raise SpecError("layer", f"must be less than {layers}, the number of layers")
        if self.unit >= hidden_size:
            raise SpecError("unit", f"must be less than {hidden_size:,}, the units of a layer")

    def as_passages(self) -> PassageRequest:
        """Return a request for two passages, which is about as much work."""
        texts = [self.temperature] * 2
        return PassageRequest(length=self.length, prime=self.prime, temperatures=texts)


class Intervention(ApiModel):
    """A passage with and without a unit held at a value, from the same seed.

    Attributes
    ----------
    model : ProbedModel
        The model that wrote both.
    layer, unit : int
        The unit, from 0.
    value : float
        Its activation in `held`.
    seed : int
        The same request with this seed gives the same texts.
    without : str
        The passage as the network writes it.
    held : str
        The passage with the unit held. ``with`` in JSON.
    first_difference : int or None
        The index of the first character that differs; None if the passages are equal.
    unknown_characters : list of str
        Characters of the prime that the network does not know, and skipped.
    """

    model: ProbedModel
    layer: int
    unit: int
    value: float
    seed: int
    without: str
    held: str = Field(alias="with")
    first_difference: int | None
    unknown_characters: list[str]
