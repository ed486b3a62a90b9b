"""How well known a source is: `chatdb formats` groups what it lists by that."""

from typing import Literal

Group = Literal["own", "wide", "small", "output"]
"""chatdb's own; what many people have; single applications; what is only written."""

ORDER: tuple[Group, ...] = ("own", "wide", "small", "output")
