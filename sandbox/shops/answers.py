"""What a request to a shop is and what it answers, whatever the channel."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"

Fields = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One request as it arrived; `headers` has lower-case names."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def wish(self) -> Fields:
        """The JSON object of the body. Raises ValueError where it is something else."""
        found = json.loads(self.body or b"{}")
        if not isinstance(found, dict):
            raise ValueError("The body is not a JSON object.")
        return found


@dataclass
class Answer:
    """One answer: status, body (a JSON value, or ready bytes) and the headers beyond the usual ones."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = JSON

    def encoded(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
