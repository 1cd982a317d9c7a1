"""What all shapes of the native API are made of."""

from typing import Annotated

from pydantic import AwareDatetime, ConfigDict, Field

from keystead.http.shapes import Shape

# JSON has no moments: they are read from texts, everything else is what it says.
Moment = Annotated[AwareDatetime, Field(strict=False)]


class Body(Shape):
    """A body; unknown fields are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=False)


class Answer(Shape):
    """An answer."""

    model_config = ConfigDict(extra="forbid")
