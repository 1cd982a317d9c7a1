"""What all shapes of the native API are made of."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

# JSON has no moments: they are read from texts, everything else is what it says.
Moment = Annotated[AwareDatetime, Field(strict=False)]


class Body(BaseModel):
    """A body; unknown fields are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Answer(BaseModel):
    """An answer."""

    model_config = ConfigDict(extra="forbid")
