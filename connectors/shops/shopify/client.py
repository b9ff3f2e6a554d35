"""One shop's Admin GraphQL API: sends a kept document, waits where the shop throttles, and turns refusals into words."""

import random
import re
import time
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from connectors.base import Pace, Unpaced
from connectors.http import ATTEMPTS, LONGEST_WAIT, Answer, Http, plain
from core.errors import EntrepotError, Misconfigured, Permanent, Refused, Temporary, Unknown
from core.guard import Guard

Fields = dict[str, Any]

VERSION = "2026-10"
"""The version every document was checked against; Shopify serves a version for at least twelve months."""
ENDPOINT = f"admin/api/{VERSION}/graphql.json"
FIRST_GUESS = 20.0
"""Points a document is taken to cost, for each of the ids it names, until the shop has told its price once."""
MOST_OF_ONE = 1000.0
"""Points beyond which Shopify does not begin a query."""


def site_of(url: str) -> str:
    """The shop's address without what people paste along; admin.shopify.com/store/NAME is NAME.myshopify.com.

    Raises Misconfigured where it is not https.
    """
    url = url.strip()
    parts = urlsplit(url if "://" in url else f"https://{url}")
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.password:
        raise Misconfigured(
            "The shop's address is not usable; enter it like https://your-shop.myshopify.com."
        )
    pasted = re.match(r"/store/([a-z0-9-]+)", parts.path)
    if parts.hostname == "admin.shopify.com" and pasted:
        return f"https://{pasted.group(1)}.myshopify.com"
    return f"https://{parts.netloc}"


@cache
def document(name: str) -> str:
    """The text of documents/NAME.graphql with the fragments it spreads."""
    text = (files(__package__) / "documents" / f"{name}.graphql").read_text("utf-8")
    fragments = dict.fromkeys(re.findall(r"\.\.\.\s*([A-Z]\w*Parts)\b", text))
    return text + "".join(document(fragment) for fragment in fragments)


class GraphQL:
    """`token` goes into a header and into no sentence. `patience` is how many seconds a change may take before its
    outcome counts as unknown. `pace` is asked for a document's points before each call and told of the bucket after it. `renew` gives the token of
    now where the shop no longer takes this one: it may end while a load goes on."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        guard: Guard,
        ca_file: Path | None,
        patience: float,
        pace: Pace = Unpaced(),  # noqa: B008 - it keeps nothing
        renew: Callable[[], str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        site = site_of(url)
        self.host = urlsplit(site).netloc
        self._patience, self._pace, self._sleep = patience, pace, sleep
        self._prices: dict[str, float] = {}
        self.bucket: dict[str, float] = {}
        """What the shop last told of its meter: maximumAvailable, currentlyAvailable and restoreRate, in points."""
        self._token, self._renew, self._refused = token.strip(), renew, False

        def opened(token: str) -> Http:
            return Http(
                site,
                name=f"The shop {self.host}",
                guard=guard,
                headers={"X-Shopify-Access-Token": token},
                ca_file=ca_file,
                explain=self._explain,
                pace=pace,
                sleep=sleep,
            )

        self._open = opened
        self._http = opened(self._token)

    def close(self) -> None:
        """Closes the kept connection."""
        self._http.close()

    def read(self, name: str, **variables: Any) -> Fields:
        """The `data` of a query. Raises Temporary where waiting helps, Misconfigured where the owner must act."""
        return self._run(name, variables, changing=False)

    def change(self, name: str, **variables: Any) -> Fields:
        """The payload of a mutation's only field, its `userErrors` for the caller to judge. Raises Unknown as well."""
        payload = next(iter(self._run(name, variables, changing=True).values()), None)
        if not isinstance(payload, dict):
            raise Unknown(f"The shop {self.host} did not say what became of a change.")
        return payload

    def wait(self, seconds: float) -> None:
        """Waits, outside any unit of work: for something the shop is still busy with."""
        self._sleep(seconds)

    def _run(self, name: str, variables: Fields, *, changing: bool) -> Fields:
        body = {"query": document(name), "variables": variables}
        for attempt in range(1, ATTEMPTS + 1):
            cost = self._cost(name, variables)
            try:
                answer = self._send(body, cost, changing)
            except Misconfigured:
                if not self._renewed():
                    raise
                answer = self._send(body, cost, changing)
            said = self._whole(answer, changing)
            self._tell(name, variables, said)
            wait = _throttled(said)
            if wait is None:
                return self._good(said, changing)
            self._pace.pause(wait)
            if attempt == ATTEMPTS or wait > LONGEST_WAIT:
                break
            self._sleep(wait + random.uniform(0, 0.5 * attempt))  # noqa: S311 - no secret
        raise Temporary(
            f"The shop {self.host} has no calls left for the hub just now; the hub tries again later.",
            retry_after=wait,
        )

    def _send(self, body: Fields, cost: float, changing: bool) -> Answer:
        if changing:
            return self._http.post(ENDPOINT, body, seconds=self._patience, cost=cost)
        return self._http.ask(ENDPOINT, body, cost=cost)

    def _renewed(self) -> bool:
        """Whether the shop refused the token and there is another one; nothing was done with the refused one."""
        refused, self._refused = self._refused, False
        if not refused or self._renew is None:
            return False
        token = self._renew().strip()
        if token == self._token:
            return False
        self._http.close()
        self._token, self._http = token, self._open(token)
        return True

    def _cost(self, name: str, variables: Fields) -> float:
        """Points that Shopify will take from the bucket before it begins; it gives back what was not needed."""
        price = self._prices.get(name, FIRST_GUESS) * _times(variables) + _carried(variables)
        return min(price, MOST_OF_ONE)

    def _tell(self, name: str, variables: Fields, said: Fields) -> None:
        """Keeps what the document costs and passes the bucket on (shopify.dev, "API rate limits": extensions.cost)."""
        cost = (said.get("extensions") or {}).get("cost") or {}
        if "requestedQueryCost" in cost:
            price = float(cost["requestedQueryCost"] or 0) - _carried(variables)
            self._prices[name] = max(price, 0.0) / _times(variables)
        told = cost.get("throttleStatus") or {}
        if told:
            names = ("currentlyAvailable", "maximumAvailable", "restoreRate")
            self.bucket = {name: float(told.get(name) or 0) for name in names}
            left, most, a_second = self.bucket.values()
            self._pace.told(left=left, most=most, a_second=a_second)

    def _whole(self, answer: Answer, changing: bool) -> Fields:
        if answer.status == 404:
            raise Misconfigured(
                f"There is no Shopify shop at {self.host}. Enter the address that ends in .myshopify.com."
            )
        if answer.status in {402, 423}:
            raise Misconfigured(
                f"Shopify has closed the shop {self.host} for now ({answer.status}): its bill is unpaid or it is "
                "locked. Its owner can open it again in the Shopify admin."
            )
        if not answer.ok:
            words = answer.message or _words(answer.body)
            raise Refused(f"The shop {self.host} refused the call: {words} ({answer.status}).")
        if not isinstance(answer.body, dict):
            raise self._unclear("answered with something that is no GraphQL result", changing)
        return answer.body

    def _good(self, said: Fields, changing: bool) -> Fields:
        for error in said.get("errors") or []:
            self._raise(error if isinstance(error, dict) else {"message": str(error)}, changing)
        data = said.get("data")
        if not isinstance(data, dict):
            raise self._unclear("sent a result without data", changing)
        return data

    def _raise(self, error: Fields, changing: bool) -> NoReturn:
        """What a top-level error means (shopify.dev, "Status and error codes" of the GraphQL Admin API)."""
        code = str((error.get("extensions") or {}).get("code") or "")
        words = plain(str(error.get("message") or code))
        if code == "ACCESS_DENIED" and "not approved" in words:
            # shopify.dev, "Work with protected customer data": an approval beside the scopes, for each of these fields.
            raise Misconfigured(
                f"Shopify does not let the hub's app see the buyers of the shop {self.host}. Ask for access to protected "
                "customer data (name, address, email, phone) in the app's settings in the Dev Dashboard; a custom app sees "
                "them only on plans that allow it."
            )
        if code == "ACCESS_DENIED":
            needed = (error.get("extensions") or {}).get("requiredAccess") or words
            scopes = re.findall(r"`([a-z_]+)`", str(needed))
            missing = " or ".join(scopes) or "a scope"
            raise Misconfigured(
                f"The hub's app may not do this in the shop {self.host}: {missing} is missing. Add it to the app's "
                "scopes in Shopify and connect the shop again."
            )
        if code == "SHOP_INACTIVE":
            raise Misconfigured(f"The shop {self.host} is not active. Its owner can open it in Shopify.")
        if code in {"INTERNAL_SERVER_ERROR", "TIMEOUT"}:
            raise self._unclear(f"failed inside ({words})", changing)
        raise Permanent(f"The shop {self.host} does not understand the hub's call: {words}.")

    def _unclear(self, what: str, changing: bool) -> EntrepotError:
        if changing:
            return Unknown(f"The shop {self.host} {what}; whether the change was made is not known.")
        return Temporary(f"The shop {self.host} {what}; the hub tries again later.")

    def _explain(self, answer: Answer) -> str | None:
        if answer.status == 401:
            self._refused = True
            return (
                f"The shop {self.host} does not accept the key: the access token has expired or was revoked. "
                "Connect the shop again."
            )
        return (
            f"The shop {self.host} closes its door to the hub: {_words(answer.body)}. Connect the shop again."
        )


def refusals(payload: Fields) -> list[Fields]:
    """The user errors of a mutation: {"code", "field", "message"}, [] where it was done."""
    return [
        {
            "code": str(error.get("code") or ""),
            "field": [str(part) for part in error.get("field") or []],
            "message": plain(str(error.get("message") or error.get("code") or "without a reason")),
        }
        for error in payload.get("userErrors") or []
    ]


def sentence(errors: list[Fields]) -> str:
    """User errors as one text for a person."""
    return " ".join(dict.fromkeys(f"The shop says: {error['message'].rstrip('.')}." for error in errors))


def carried(given: Fields) -> float:
    """Points that productSet adds for what its input carries (design/shopify.md, "Rate")."""
    pictures = sum("file" in one for one in given["variants"])
    return (
        0.2 * len(given["variants"])
        + 1.9 * len(given.get("files") or [])
        + 0.4 * len(given.get("metafields") or [])
        + 0.6 * pictures
    )


def _throttled(said: Fields) -> float | None:
    """Seconds until the bucket holds enough for this call again; None where it was not throttled.

    THROTTLED comes as HTTP 200 and nothing was done (design: extensions.cost.throttleStatus).
    """
    codes = [
        (error.get("extensions") or {}).get("code")
        for error in said.get("errors") or []
        if isinstance(error, dict)
    ]
    if "THROTTLED" not in codes:
        return None
    cost = (said.get("extensions") or {}).get("cost") or {}
    bucket = cost.get("throttleStatus") or {}
    rate = float(bucket.get("restoreRate") or 0)
    if rate <= 0:
        return 1.0
    lacking = float(cost.get("requestedQueryCost") or 0) - float(bucket.get("currentlyAvailable") or 0)
    return min(max(lacking / rate, 0.1), 3600.0)


def _times(variables: Fields) -> int:
    """A look at things by their ids costs as many times what one costs."""
    ids = variables.get("ids")
    return max(1, len(ids)) if isinstance(ids, list) else 1


def _carried(variables: Fields) -> float:
    given = variables.get("input")
    return carried(given) if isinstance(given, dict) and "variants" in given else 0.0


def _words(body: Any) -> str:
    said = body.get("errors") if isinstance(body, dict) else None
    return plain(str(said)) if said else "without a reason"
