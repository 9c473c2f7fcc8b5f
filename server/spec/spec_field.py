"""The description of one field of a spec, written beside the field's type and default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

__all__ = ["Column", "DefaultBy", "Null", "SpecField"]

Change = Literal["value", "value or null"]


@dataclass(frozen=True, slots=True)
class Null:
    """The meaning of null in a field that may be null.

    Attributes
    ----------
    label : str
        The meaning as the form and the comparison's table show it.
    option_of : str or None
        The field whose list of choices in the form has null of this field as its last entry; None:
        a number has a checkbox of its own, and an empty text is null.
    phrase : str or None
        The meaning where the field is not named beside it; None: the label.
    zero : bool
        Whether null is typed as 0 on the command line.
    """

    label: str
    option_of: str | None = None
    phrase: str | None = None
    zero: bool = False


@dataclass(frozen=True, slots=True)
class DefaultBy:
    """A default that depends on another field.

    Attributes
    ----------
    field : str
        The other field.
    defaults : mapping
        The default for each value of the other field.
    """

    field: str
    defaults: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Column:
    """The column of a field where runs are compared, and its words in a list of settings.

    Attributes
    ----------
    label : str
        The column's heading.
    phrase : str
        The setting in a list of settings, with the names of fields in braces in place of their
        values. Lists leave out the fields of the schedule.
    singular : str or None
        The phrase where the value is 1; None: the same.
    unused : float, str or None
        The value that leaves out what the field is for, which a list of settings does not mention.
    schedule : bool
        Whether the field sets when things happen and not what is learned. Such columns come last.
    unit : str or None
        The unit of the values, in the heading of a table to copy; None: a plain number, or no
        number.
    """

    label: str
    phrase: str = ""
    singular: str | None = None
    unused: float | str | None = None
    schedule: bool = False
    unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecField:
    """What people read about a field of a spec, and where they may set it.

    Type, range and default are those of the field itself.

    Attributes
    ----------
    label : str
        The label in the forms.
    explanation : str
        One sentence for the form, the command line, the API's schema and the documentation.
    fork_explanation : str or None
        The sentence in the form for a fork; None: the same.
    display : {"plain", "count", "share", "seconds", "pace", "words"}
        How a value is written: as it is, with thousands separators, as a percentage, in seconds,
        as a pace, or as a list of words.
    choices : callable or None
        Returns the values that the form offers, and the label of each.
    form_max : float or None
        The greatest value that the form's arrows reach; None: the greatest that is allowed.
    null : Null or None
        The meaning of null; None where null is not allowed.
    default_by : DefaultBy or None
        How the default depends on another field; None where it does not.
    change : {"value", "value or null"} or None
        What the field may be changed to in a run that exists; None: it may not.
    fork : bool
        Whether the field may differ in a fork.
    command_line : {"option", "file", "unused"}
        How ``train`` takes the field: as an option and in a spec file, in a spec file only, or not
        at all.
    option : str or None
        The parameter's name on the command line; None: the field's name.
    column : Column or None
        The column where runs are compared; None: it is not compared by itself.
    """

    label: str
    explanation: str
    fork_explanation: str | None = None
    display: Literal["plain", "count", "share", "seconds", "pace", "words"] = "plain"
    choices: Callable[[], Mapping[str | float, str] | Mapping[str, str]] | None = None
    form_max: float | None = None
    null: Null | None = None
    default_by: DefaultBy | None = None
    change: Change | None = None
    fork: bool = False
    command_line: Literal["option", "file", "unused"] = "option"
    option: str | None = None
    column: Column | None = None

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Add the explanation to the API's schema."""
        return handler(schema) | {"description": self.explanation}
