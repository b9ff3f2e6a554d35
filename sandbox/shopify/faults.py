"""What can go wrong in a Shopify shop in particular, and how each of it looks from outside."""

from dataclasses import dataclass

from sandbox.shopify.answers import HTML, Answer, Fields
from sandbox.shops import faults

KINDS = (
    "throttled",  # HTTP 200 with THROTTLED; nothing is done
    "internal",  # HTTP 200 with INTERNAL_SERVER_ERROR; nothing is done
    "html",  # a page instead of JSON, with 200; nothing is done
)
Record = faults.Record


@dataclass
class Fault(faults.Fault):
    """`field` narrows it to documents that ask for that field, e.g. `fulfillmentCreate`."""

    field: str = ""

    def hits(self, fields: list[str]) -> bool:
        return not self.field or self.field in fields


class Faults(faults.Faults[Fault]):
    """The switches of a Shopify shop."""

    def __init__(self) -> None:
        super().__init__(Fault, KINDS)


def instead(fault: Fault, throttle: Fields) -> Answer | None:
    """The answer in place of the shop's own, for the kinds where nothing is done."""
    if fault.kind == "status":
        retry = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:.1f}"}
        words = (
            "Exceeded 2 calls per second for api client." if fault.status == 429 else "Service unavailable"
        )
        return Answer(fault.status, {"errors": words}, retry)
    if fault.kind == "throttled":
        return Answer(200, throttle)
    if fault.kind == "internal":
        message = "Internal error. Looks like something went wrong on our end."
        extensions = {"code": "INTERNAL_SERVER_ERROR", "requestId": "00000000-0000-4000-8000-000000000000"}
        return Answer(200, {"errors": [{"message": message, "extensions": extensions}]})
    if fault.kind == "html":
        page = b"<!DOCTYPE html><html><body><h1>Just a moment...</h1></body></html>"
        return Answer(200, page, content_type=HTML)
    return None
