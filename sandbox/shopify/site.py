"""The shop's own settings, clock and memory, and the ids everything in it goes by."""

import base64
import json
import re
import secrets
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from graphql import GraphQLError

from sandbox.shopify.answers import Fields, not_simulated
from sandbox.shopify.bucket import Bucket
from sandbox.shops.store import Store

VERSION = "2026-10"
APP = 4711
SCOPES = [
    "write_products",
    "write_inventory",
    "read_locations",
    "write_publications",
    "read_orders",
    "write_merchant_managed_fulfillment_orders",
]
# Where each kind's numbers start: far apart, so that an id of the wrong kind finds nothing.
_STARTS = {"Product": 8100000000001, "ProductVariant": 44000000000001, "InventoryItem": 46000000000001}
_STARTS |= {"Order": 5500000000001, "LineItem": 14000000000001, "MediaImage": 33000000000001}
_GID = re.compile(r"gid://shopify/(\w+)/(\d+)(\?.*)?")
_SORTS = {"ID": "id", "CREATED_AT": "created", "UPDATED_AT": "modified"}


@dataclass
class Site:
    """One shop. `tax_rate` 0.19 = 19 %; `lock` is held by whoever works in it; `fired` gets (topic, kind, id);
    `chatty` tells products/update for
    a change of stock as well, as merchants report of real shops [3rd]; `latency` is how many seconds a change takes, a look
    takes a third; `folder` holds its files and `address` is where it answers, e.g. https://127.0.0.1:8443."""

    store: Store
    bucket: Bucket
    folder: Path
    name: str = "Sandbox"
    currency: str = "EUR"
    tax_included: bool = False
    tax_rate: Decimal = Decimal("0.19")
    clock: Callable[[], float] = time.time
    scopes: list[str] = field(default_factory=lambda: list(SCOPES))
    lock: threading.RLock = field(default_factory=threading.RLock)
    fired: Callable[[str, str, int], None] = lambda *_: None
    address: str = ""
    chatty: bool = False
    latency: float = 0.0

    @property
    def domain(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-") + ".myshopify.com"

    def now(self) -> int:
        return int(self.clock())

    def fact(self, name: str) -> str:
        return self.store.fact(name) or ""

    def furnish(self) -> None:
        """What every new shop has: keys, two places, one sales channel."""
        with self.store.work():
            if self.store.fact("furnished"):
                return
            self.store.remember("access_token", new_token())
            self.store.remember("client_id", secrets.token_hex(16))
            self.store.remember("client_secret", "shpss_" + secrets.token_hex(16))
            self.store.remember("admin_token", secrets.token_hex(20))
            for kind, number in _STARTS.items():
                self.store.start_counter(kind, number)
            for name, online in (("Warehouse", True), ("Boutique", False)):
                place = {"name": name, "isActive": True, "fulfillsOnlineOrders": online}
                self.put("Location", self.new("Location", **place))
            channel = {"title": "Online Store", "autoPublish": False, "supportsFuturePublishing": True}
            self.put("Publication", self.new("Publication", **channel))
            self.store.remember("furnished", "yes")

    def new(self, kind: str, **fields: Any) -> Fields:
        """A document of its own id, born now."""
        moment = self.now()
        return {
            "__typename": kind,
            "id": self.number(kind),
            "created": moment,
            "modified": moment,
            "createdAt": moment,
            "updatedAt": moment,
            **fields,
        }

    def number(self, kind: str) -> int:
        if self.store.fact(f"next {kind}") is None:
            self.store.start_counter(kind, 1000000001)
        return self.store.next(kind)

    def put(self, kind: str, doc: Fields) -> None:
        self.store.put(kind, doc)

    def touch(self, doc: Fields) -> None:
        """It changed now; written."""
        doc["modified"] = doc["updatedAt"] = self.now()
        self.store.put(doc["__typename"], doc)

    def one(self, kind: str, gid: Any) -> Fields | None:
        """The document of that id and kind, if there is one. A number counts as an id of the kind."""
        if isinstance(gid, int):
            return self.store.get(kind, gid)
        found = _GID.fullmatch(str(gid))
        if found is None:
            raise invalid_id(str(gid))
        return self.store.get(kind, int(found[2])) if found[1] == kind else None

    def any(self, gid: str) -> Fields | None:
        """The document of that id, whatever its kind."""
        found = _GID.fullmatch(gid)
        if found is None:
            raise invalid_id(gid)
        return self.store.get(found[1], int(found[2]))

    def all(self, kind: str, where: str = "1 = 1", *values: Any, order: str = "id") -> list[Fields]:
        return self.store.find(f"kind = ? AND {where}", (kind, *values), f"ORDER BY {order}")

    def page(
        self, kind: str, arguments: Fields, match: Callable[[Fields], bool], *, since: float = 0
    ) -> Fields:
        """One page of a whole kind, by id or by a time and id: what changes meanwhile moves no page. What did not
        change after `since` cannot match; it spares looking at everything each time."""
        sort = arguments.get("sortKey") or "ID"
        if sort not in _SORTS:
            raise not_simulated(f"the sort key {sort}")
        first = checked_first(arguments)
        after = json.loads(base64.b64decode(arguments["after"])) if arguments.get("after") else None
        found: list[Fields] = []
        rows = self._walk(kind, _SORTS[sort], after, first, since, reverse=bool(arguments.get("reverse")))
        for doc in rows:
            if match(doc):
                found.append(doc)
                if len(found) > first:
                    break
        column = _SORTS[sort]
        return connected(
            found[:first],
            [cursor([doc[column], doc["id"]]) for doc in found[:first]],
            more=len(found) > first,
            before=after is not None,
        )

    def _walk(
        self, kind: str, column: str, after: Any, first: int, since: float, *, reverse: bool
    ) -> Iterator[Fields]:
        """First as many as a page needs, then more at a time: a rare match is not sought in small steps."""
        way, beyond = ("DESC", "<") if reverse else ("ASC", ">")
        many = first + 1
        while True:
            tail = f"ORDER BY {column} {way}, id {way} LIMIT {many}"
            where = "kind = ?"
            values: list[Any] = [kind]
            if since:
                where += " AND modified >= ?"
                values.append(since)
            if after is not None:
                where += f" AND ({column}, id) {beyond} (?, ?)"
                values += after
            rows = self.store.find(where, tuple(values), tail)
            yield from rows
            if len(rows) < many:
                return
            many = min(500, 2 * many)
            after = [rows[-1][column], rows[-1]["id"]]


def new_token() -> str:
    return "shpat_" + secrets.token_hex(16)


def gid(kind: str, number: int) -> str:
    return f"gid://shopify/{kind}/{number}"


def free_handle(site: Site, kind: str, title: str) -> str:
    """The title as an address has it; -1, -2 … where that is taken."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", title) if not unicodedata.combining(c)).lower()
    wished = re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or kind.lower()
    handle, number = wished, 0
    while site.all(kind, "slug = ?", handle):
        number += 1
        handle = f"{wished}-{number}"
    return handle


def invalid_id(given: str) -> GraphQLError:
    return GraphQLError(f"Invalid global id '{given}'", extensions={"code": "INVALID_VARIABLE"})


def time_text(moment: int | None) -> str | None:
    """2026-11-26T23:59:48Z."""
    return None if moment is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def checked_first(arguments: Fields) -> int:
    """How many are asked for: 1 to 250. Raises as Shopify does otherwise."""
    if arguments.get("last") is not None or arguments.get("before") is not None:
        raise not_simulated("paging backwards")
    first = arguments.get("first")
    if first is None:
        raise GraphQLError("you must provide one of first or last", extensions={"code": "BAD_REQUEST"})
    if not 0 < first <= 250:
        message = f"The `first` argument must be between 1 and 250, not {first}."
        raise GraphQLError(message, extensions={"code": "BAD_REQUEST"})
    return int(first)


def connection(rows: list[Fields], arguments: Fields) -> Fields:
    """One page of a short list; a cursor names the row it stands behind."""
    first = checked_first(arguments)
    if arguments.get("reverse"):
        rows = rows[::-1]
    names = [cursor([row.get("id", at)]) for at, row in enumerate(rows)]
    start = names.index(arguments["after"]) + 1 if arguments.get("after") in names else 0
    page = rows[start : start + first]
    return connected(page, names[start : start + first], more=start + first < len(rows), before=start > 0)


def connected(rows: list[Fields], cursors: list[str], *, more: bool, before: bool) -> Fields:
    return {
        "nodes": rows,
        "edges": [{"cursor": name, "node": row} for name, row in zip(cursors, rows, strict=True)],
        "pageInfo": {
            "hasNextPage": more,
            "hasPreviousPage": before,
            "startCursor": cursors[0] if cursors else None,
            "endCursor": cursors[-1] if cursors else None,
        },
    }


def cursor(place: list[Any]) -> str:
    return base64.b64encode(json.dumps(place).encode()).decode()
