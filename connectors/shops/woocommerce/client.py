"""The few calls of WooCommerce's REST API v3 the connector needs, and what its refusals mean in the owner's words."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from connectors.base import Pace
from connectors.http import Answer, Http
from connectors.shops.woocommerce.oauth import signer
from core.errors import Misconfigured, Refused, Unknown
from core.guard import Guard

Fields = dict[str, Any]

API = "wp-json/wc/v3"
PAGE = 100
BATCH = 100
"""Most things in one page or one batch; 101 are refused (recorded: error_per_page_101, error_batch_over_100)."""
BY_ID: dict[str, str | int] = {"orderby": "id", "order": "asc"}
LONGEST_QUERY = 1500
"""Characters of one list in an address; many servers refuse an address over 8 kB."""


def site_of(url: str, *, insecure_http: bool = False) -> str:
    """The shop's address without what people paste along. Raises Misconfigured where it is not https, or http where the
    operator allows that."""
    url = url.strip()
    parts = urlsplit(url if "://" in url else f"https://{url}")
    if parts.scheme == "http" and not insecure_http:
        raise Misconfigured(
            f"The shop {parts.netloc} was entered with http://, over which anybody on the way could read its orders. "
            "Switch the shop to https and enter its https:// address."
        )
    if parts.scheme not in {"https", "http"} or not parts.hostname or parts.username or parts.password:
        raise Misconfigured("The shop's address is not usable; enter it like https://shop.example.")
    path = parts.path
    for pasted in ("/wp-json", "/wp-admin", "/wp-login.php"):
        path = path.partition(pasted)[0]
    return f"{parts.scheme}://{parts.netloc}{path.rstrip('/')}"


class Rest:
    """One shop's REST API. `patience` is how many seconds a batch may take before its outcome counts as unknown.

    Over http, where the operator allows it, calls are signed and the secret is never sent; https takes the key as it is.
    """

    def __init__(
        self,
        url: str,
        key: str,
        secret: str,
        *,
        guard: Guard,
        ca_file: Path | None,
        patience: float,
        pace: Pace | None = None,
        insecure_http: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        site = site_of(url, insecure_http=insecure_http)
        self.host = urlsplit(site).netloc
        self.insecure = site.startswith("http://")
        self._patience, self.wait = patience, sleep
        self._http = Http(
            site,
            name=f"The shop {self.host}",
            guard=guard,
            auth=None if self.insecure else (key.strip(), secret.strip()),
            sign=signer(key.strip(), secret.strip()) if self.insecure else None,
            ca_file=ca_file,
            explain=self._explain,
            pace=pace,
            sleep=sleep,
        )

    def close(self) -> None:
        """Closes the kept connection."""
        self._http.close()

    def ask(self, path: str, **params: str | int) -> Answer:
        """Reads one address; a refusal is returned for the caller to judge."""
        return self._http.get(f"{API}/{path}", params)

    def front(self) -> Answer:
        """WordPress' own description of the site. Asked without the key: WordPress would take it for a login."""
        fields = "name,timezone_string,gmt_offset"
        return self._http.get("wp-json/", {"_fields": fields}, anonymous=True)

    def one(self, path: str, **params: str | int) -> Any:
        """Reads one address. Raises Misconfigured where it is no route, Refused where the shop says no."""
        return self._good(self.ask(path, **params))

    def known(self, path: str) -> Fields | None:
        """Reads one thing; None where the shop has it no longer. Raises as `one`."""
        answer = self.ask(path)
        if answer.status == 404 and answer.code.endswith("_invalid_id"):
            return None
        found: Fields = self._good(answer)
        return found

    def change(self, path: str, fields: Fields) -> Fields:
        """Makes or changes one thing; the thing as it is now. Raises Unknown, and Refused where the shop says no."""
        found: Fields = self._good(self.create(path, fields))
        return found

    def pages(self, path: str, **params: str | int) -> Iterator[Fields]:
        """Everything of a list, page by page. Give an order that has no ties (BY_ID): WooCommerce's own order of products
        is the second they were made in, and what shares it may stand on two pages or on none."""
        page = 1
        while True:
            found, more = self.page(path, page, **params)
            yield from found
            if not more:
                return
            page += 1

    def page(self, path: str, page: int, **params: str | int) -> tuple[list[Fields], bool]:
        """One page of a list, and whether others follow.

        The shop leaves out of a page what it cannot load or the key may not see (get_items of its
        class-wc-rest-crud-controller.php), so that a page may be short and yet not the last: its header counts.
        """
        answer = self.ask(path, per_page=PAGE, page=page, **params)
        found: list[Fields] = self._good(answer)
        pages = answer.headers.get("x-wp-totalpages", "")
        return found, page < int(pages) if pages.isdecimal() else len(found) == PAGE

    def create(self, path: str, fields: Fields) -> Answer:
        """Makes one thing; a refusal is returned for the caller to judge. Raises Unknown."""
        return self._http.post(f"{API}/{path}", fields, seconds=self._patience)

    def batch(self, path: str, wishes: Sequence[Fields]) -> list[Fields]:
        """Creates what has no id and updates what has, in one call; one answer a wish, in the wishes' order.

        An answer is the thing as it is now, or {"id", "error": {"code", "message", "data"}}. Raises Unknown, and
        Refused with the rule "too_large" where the call as a whole was too much and nothing was done.
        """
        body: dict[str, list[Fields]] = {}
        for wish in wishes:
            body.setdefault("update" if "id" in wish else "create", []).append(wish)
        answers = self._good(self._http.post(f"{API}/{path}/batch", body, seconds=self._patience))
        told = {kind: list(answers.get(kind) or []) if isinstance(answers, dict) else [] for kind in body}
        if any(len(told[kind]) != len(asked) for kind, asked in body.items()):
            raise Unknown(
                f"The shop {self.host} did not answer every part of a batch; what it did is not known."
            )
        return [told["update" if "id" in wish else "create"].pop(0) for wish in wishes]

    def repeat(self, path: str, wishes: Sequence[Fields]) -> Iterator[Fields]:
        """Updates that may be made twice, in batches; one answer a wish. After a lost answer the same call is made again,
        once; lost twice, the answer is {"lost": sentence}."""
        for start in range(0, len(wishes), BATCH):
            some = wishes[start : start + BATCH]
            try:
                try:
                    yield from self.batch(path, some)
                except Unknown:
                    yield from self.batch(path, some)
            except Unknown as error:
                yield from ({"lost": str(error)} for _ in some)
            except Refused as error:
                yield from ({"error": {"code": error.rule, "message": str(error)}} for _ in some)

    def remove(self, path: str, numbers: Sequence[int]) -> None:
        """Deletes things of ours for good; what is gone already is no matter. Raises Unknown."""
        for start in range(0, len(numbers), BATCH):
            body = {"delete": list(numbers[start : start + BATCH])}
            self._good(self._http.post(f"{API}/{path}/batch", body, seconds=self._patience))

    def may_write(self) -> None:
        """Raises Misconfigured where the key may only read: an empty batch changes nothing and tells it."""
        self._http.post(f"{API}/products/batch", {}, seconds=self._patience)

    def by_sku(self, skus: Sequence[str], *, trash: bool = False) -> Iterator[Fields]:
        """The products and variations that hold these SKUs, without regard to case; of those in the trash only the
        trash's own list tells (recorded: products_by_sku_list, error_sku_held_by_trashed)."""
        narrowed = {**BY_ID, **({"status": "trash"} if trash else {})}
        for some in _portions(skus):
            yield from self.pages("products", sku=some, **narrowed)

    def _good(self, answer: Answer) -> Any:
        if answer.ok:
            return answer.body
        if answer.status == 404 and answer.code in {"", "rest_no_route"}:
            raise Misconfigured(
                f"The shop {self.host} has no WooCommerce REST API at this address. Check that WooCommerce is active and "
                "that Settings → Permalinks is not on “Plain”."
            )
        words = answer.message or answer.code or "without a reason"
        rule = "too_large" if answer.status == 413 else answer.code
        raise Refused(f"The shop {self.host} refused the call: {words} ({answer.status}).", rule=rule)

    def _explain(self, answer: Answer) -> str | None:
        """A 401 or 403 in the owner's words (recorded: error_auth_*)."""
        if "write permission" in answer.message:
            return f"The key of the shop {self.host} may only read. Make a key with the permission Read/Write and enter it."
        if answer.code == "woocommerce_rest_authentication_error":
            return (
                f"The shop {self.host} does not accept the key: {answer.message} Make a new one under WooCommerce → "
                "Settings → Advanced → REST API and enter both parts."
            )
        if answer.code.startswith("woocommerce_rest_cannot"):
            return (
                f"The shop {self.host} does not accept the key: {answer.message} It is none of this shop's (deleted, or another "
                "shop's), its user is no shop manager, or the web server drops the Authorization header."
            )
        return None


def _portions(skus: Sequence[str]) -> Iterator[str]:
    """Comma lists short enough for an address. A SKU that holds a comma is asked alone: the shop also tries it whole."""
    some: list[str] = []
    for sku in skus:
        if "," in sku:
            yield sku
            continue
        if some and (len(some) == PAGE or sum(map(len, some)) + len(some) + len(sku) > LONGEST_QUERY):
            yield ",".join(some)
            some = []
        some.append(sku)
    if some:
        yield ",".join(some)
