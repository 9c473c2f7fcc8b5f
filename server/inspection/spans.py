"""Where units fire: the request for it, and the answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from server.inspection.models import ProbedModel
from server.inspection.probe import MAX_PROBE_CHARACTERS
from server.passages.request import AtUpdate
from server.spec.run_spec import SpecError, StrictModel, encodable
from server.spec.schemas import ApiModel

__all__ = ["ActiveUnit", "SpanRequest", "TextSpan", "UnitSpans"]


class SpanRequest(StrictModel):
    """A request for the places in the run's text where the same units are active.

    Attributes
    ----------
    text : str
        1 to 2,000 characters of any script; those that the network does not know are skipped.
    start, end : int
        The selected stretch: from the character `start` up to, without, `end`. ``from`` and ``to``
        in JSON.
    threshold : float
        A unit is active where its activation is greater than this, or less than minus this.
    edges : bool
        Whether to take only units that are not active just before and just after the stretch.
    source : str or AtUpdate
        As in a probe request.
    layer : int or None
        The layer whose units to take, from 0; None: the last one.
    unit : int or None
        The only unit to take, from 0; None: all units of the layer.
    """

    text: str = Field(min_length=1, max_length=MAX_PROBE_CHARACTERS)
    start: int = Field(ge=0, lt=MAX_PROBE_CHARACTERS, alias="from")
    end: int = Field(ge=1, le=MAX_PROBE_CHARACTERS, alias="to")
    threshold: float = Field(0.5, ge=0, lt=1)
    edges: bool = False
    source: Annotated[str, Field(min_length=1, max_length=64)] | AtUpdate = "latest"
    layer: int | None = Field(None, ge=0)
    unit: int | None = Field(None, ge=0)

    @field_validator("text")
    @classmethod
    def _check_encodable(cls, value: str) -> str:
        return encodable(value)

    def check(self, layers: int, hidden_size: int) -> None:
        """Check the stretch, the layer and the unit.

        Parameters
        ----------
        layers, hidden_size : int
            Of the network.

        Raises
        ------
        SpecError
            The stretch is not within the text, or there is no such layer or unit.
        """
        if self.end > len(self.text):
            raise SpecError("to", f"must be at most {len(self.text):,}, the length of the text")
        if self.start >= self.end:
            raise SpecError("from", "must be less than to")
        if self.layer is not None and self.layer >= layers:
            raise SpecError("layer", f"must be less than {layers}, the number of layers")
        if self.unit is not None and self.unit >= hidden_size:
            raise SpecError("unit", f"must be less than {hidden_size:,}, the units of a layer")


class ActiveUnit(ApiModel):
    """A unit that is active throughout the selected stretch.

    Attributes
    ----------
    unit : int
        From 0.
    sign : int
        1 or -1: whether its activation is positive or negative there.
    activation : float
        Its mean activation there.
    """

    unit: int
    sign: int
    activation: float


class TextSpan(ApiModel):
    """A stretch of the run's text throughout which some of the units are active.

    Attributes
    ----------
    start, end : int
        The characters of the run's text from `start` up to, without, `end`. ``from`` and ``to`` in
        JSON.
    before, text, after : str
        The text of the stretch, 240 characters at most, and up to 60 characters around it.
    units : list of int
        The units that are active throughout it.
    """

    start: int = Field(alias="from")
    end: int = Field(alias="to")
    before: str
    text: str
    after: str
    units: list[int]


class SearchedText(ApiModel):
    """The part of the run's text that was searched, in characters."""

    start: int = Field(alias="from")
    end: int = Field(alias="to")


class UnitSpans(ApiModel):
    """The places in the run's text where the units of a selected stretch are active.

    Attributes
    ----------
    model : ProbedModel
        The model that read both texts.
    layer : int
        The layer of the units, from 0.
    units : list of ActiveUnit
        The units that are active throughout the selected stretch.
    searched : SearchedText
        The part of the run's text that was searched, in its middle.
    spans : list of TextSpan
        Up to 30 that do not overlap, with at least half of the units: those with most units first,
        then the longest.
    """

    model: ProbedModel
    layer: int
    units: list[ActiveUnit]
    searched: SearchedText
    spans: list[TextSpan]
