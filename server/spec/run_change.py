"""The changes that a run accepts after it was created: the body of PATCH."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import ValidationInfo, create_model, field_validator, model_validator

from server.spec.run_spec import SPEC_FIELDS, RunSpec, SpecModel

__all__ = ["RunChange"]

# The types and ranges of the spec's own fields. A field that is not given has the default None.
_FIELDS: dict[str, Any] = {
    name: (Annotated[field.annotation | None, *field.metadata], None)  # type: ignore[operator]
    for name, field in RunSpec.model_fields.items()
    if SPEC_FIELDS[name].change is not None
}
_ChangeableFields: Any = create_model("_ChangeableFields", __base__=SpecModel, **_FIELDS)


class RunChange(_ChangeableFields):
    """New values for some fields of a run's spec. Fields that are not given keep their values.

    With `watch_words` null, the corpus's own names are watched again.
    """

    def values(self) -> dict[str, Any]:
        """Return the fields that were given, with their new values."""
        return self.model_dump(include=self.model_fields_set)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_null(cls, value: object, info: ValidationInfo) -> object:
        if value is None and SPEC_FIELDS[str(info.field_name)].change != "value or null":
            raise ValueError("cannot be null: leave it out to keep its value")
        return value

    @model_validator(mode="after")
    def _require_a_field(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("must name at least one field to change")
        return self
