"""What can go wrong in a Shopify shop in particular, and how each of it looks from outside."""

from dataclasses import dataclass, replace

from sandbox.shopify.answers import HTML, Answer, Fields
from sandbox.shops import faults

KINDS = (
    "throttled",  # HTTP 200 with THROTTLED; nothing is done
    "internal",  # HTTP 200 with INTERNAL_SERVER_ERROR; nothing is done
    "html",  # a page instead of JSON, with 200; nothing is done
    "unauthorized",  # 401 as for an expired token; nothing is done
    "refused",  # the mutation `field` answers a user error of this `code`; nothing is done
    "stray",  # done, and a warning of somebody's stands before the JSON
)
Record = faults.Record
STRANGER = "[API] Invalid API key or access token (unrecognized login or wrong password)"


@dataclass
class Fault(faults.Fault):
    """`field` narrows it to documents that ask for that field, e.g. `fulfillmentCreate`."""

    field: str = ""
    code: str = "IDEMPOTENCY_CONCURRENT_REQUEST"

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
    if fault.kind == "unauthorized":
        return Answer(401, {"errors": STRANGER})
    if fault.kind == "refused":
        refused = {"message": "Refused by a switch of the sandbox.", "code": fault.code, "field": None}
        cost = throttle["extensions"]
        return Answer(200, {"data": {fault.field: {"userErrors": [refused]}}, "extensions": cost})
    if fault.kind == "html":
        page = b"<!DOCTYPE html><html><body><h1>Just a moment...</h1></body></html>"
        return Answer(200, page, content_type=HTML)
    return None


def spoiled(fault: Fault, answer: Answer) -> Answer:
    """The shop's own answer as the fault lets it through."""
    if fault.kind != "stray":
        return answer
    return replace(answer, body=b"\nWarning: a proxy said something\n" + answer.encoded())
