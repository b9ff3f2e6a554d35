"""What a request to the shop is and what it answers: the values that every other file of the shop passes on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.shops import answers

JSON = "application/json; charset=UTF-8"
HTML = "text/html; charset=UTF-8"

Fields = answers.Fields


@dataclass(frozen=True)
class Call(answers.Call):
    """One request as it arrived. `query` is decoded, PHP lists joined by commas."""

    query: Mapping[str, str] = field(default_factory=dict)
    secure: bool = True
    raw_query: str = ""
    fetched: Mapping[str, Any] = field(default_factory=dict)  # pictures by address; see media.fetch_all
    stocks: Mapping[int, int] = field(default_factory=dict)  # what was there a moment ago; see races.py
    unheld: str = ""  # a SKU that was free a moment ago; see races.py
    pause: float = 0  # seconds over which the changes are spread
    below: str = ""  # the folder of the server that the shop stands in

    @property
    def base(self) -> str:
        """Scheme, host as the client named it, and folder, e.g. `https://127.0.0.1:8443/shop`."""
        host = self.headers.get("host", "127.0.0.1")
        return f"{'https' if self.secure else 'http'}://{host}{self.below}"

    @property
    def api(self) -> str:
        return f"{self.base}/wp-json/wc/v3"


@dataclass
class Answer(answers.Answer):
    """One answer, written as PHP writes it."""

    content_type: str = JSON
    envelope: str = "rest"  # which of the recorded sets of usual headers goes with it; see server.py

    def encoded(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else encode(self.body)


class Refusal(Exception):
    """A WordPress REST error: `code`, `message`, and `extra` beside the status in `data`."""

    def __init__(self, code: str, message: str, status: int, *, envelope: str = "rest", **extra: Any) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.extra = code, message, status, extra
        self.envelope = envelope

    def as_json(self) -> Fields:
        return {"code": self.code, "message": self.message, "data": {"status": self.status, **self.extra}}


class BareRefusal(Refusal):
    """The refunds' own kind of error, whose `data` is the bare status number."""

    def as_json(self) -> Fields:
        return {"code": self.code, "message": self.message, "data": self.status}


class NotSimulated(Exception):
    """Neither a transcript nor woocommerce.md says what a real shop would answer, so the sandbox does not guess."""


def fields_of(call: Call) -> Fields:
    """The fields of a request. JSON sent as anything but application/json is not read, as recorded."""
    kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise NotSimulated(f"a body of {kind}")
    if kind != "application/json" or not call.body:
        return {}
    found = decode(call.body)
    if not isinstance(found, dict):
        raise NotSimulated("a JSON body that is not an object")
    return found


def encode(value: Any) -> bytes:
    """JSON as PHP writes it: slashes escaped, everything beyond ASCII as \\uXXXX, no blanks."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def decode(body: bytes) -> Any:
    """Raises Refusal as WordPress does for a body that is not JSON."""
    try:
        return json.loads(body)
    except ValueError:
        raise Refusal(
            "rest_invalid_json",
            "Invalid JSON body passed.",
            400,
            json_error_code=4,
            json_error_message="Syntax error",
        ) from None
