"""Reads a stored or sent document into its checked value, and says in one sentence which field is at fault."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from core.errors import Refused

Document = TypeVar("Document", bound=BaseModel)


def checked(kind: type[Document], stored: Mapping[str, Any], *, whole: str, rule: str) -> Document:
    """The value. Raises Refused with `rule`, naming the field at fault, or `whole` where it is none of them alone."""
    try:
        return kind.model_validate(stored)
    except ValidationError as error:
        first = error.errors()[0]
        said = str(first.get("ctx", {}).get("error") or first["msg"]).rstrip(".")
        name = ".".join(str(part) for part in first["loc"] if part != "[key]")
        raise Refused(f"{name or whole}: {said}.", rule=rule) from None
