"""The title, the author and the remarks that the author adds to a report."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from server.corpora.visible_text import without_controls
from server.spec.run_spec import StrictModel, encodable, printable

__all__ = ["ReportRemarks"]

Line = Annotated[str, Field(max_length=200)]
Remark = Annotated[str, Field(max_length=5_000)]
Translation = Annotated[str, Field(max_length=20_000)]


class ReportRemarks(StrictModel):
    """What the author adds to the report of a run; empty texts are left out of the report.

    Attributes
    ----------
    title, author : str
        One line each; without a title, the report has the run's name.
    gradients, loss, evolution, passage, findings : str
        Remarks to each part.
    translation : str
        The passage of the best model, as a translator returned it.
    translated_update : int or None
        The update of the best model that wrote the translated passage.
    """

    title: Line = ""
    author: Line = ""
    gradients: Remark = ""
    loss: Remark = ""
    evolution: Remark = ""
    passage: Remark = ""
    findings: Remark = ""
    translation: Translation = ""
    translated_update: Annotated[int, Field(ge=0, le=10**15)] | None = None

    @field_validator("title", "author")
    @classmethod
    def _normalize_line(cls, value: str) -> str:
        return printable(value)

    @field_validator("gradients", "loss", "evolution", "passage", "findings", "translation")
    @classmethod
    def _normalize_text(cls, value: str) -> str:
        lines = value.replace("\r\n", "\n").replace("\r", "\n")
        return without_controls(encodable(lines), kept="\n\t").strip()
