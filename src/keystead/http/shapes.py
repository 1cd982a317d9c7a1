"""What bodies look like on the wires: the base of every such model."""

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """A body, or a part of one. Its validator is made when it is first used: most shapes only document answers.

    What FastAPI reads requests with is made at once (``defer_build=False``): it hides warnings only while it makes it.
    """

    model_config = ConfigDict(defer_build=True)
