"""A token that ends in the middle of a push in strands: one strand renews it, the others go on with what it got."""

# ruff: noqa: F811 - fixtures are asked for by their names

import threading
from concurrent.futures import ThreadPoolExecutor

from core.clock import now
from core.database import Database
from pipelines.opening import connect
from sandbox.shopify.shop import Shop as Shopify
from sandbox.shopify.tokens import expire
from tests.connecting import connected, db, held, opened, shopify, stored  # noqa: F401 - fixtures
from tests.console import Console
from tests.stepping import one

STRANDS = 4


def test_strands_whose_token_ends_renew_it_once(opened: Console, db: Database, shopify: Shopify) -> None:
    shop = stored(db, connected(opened, shopify))
    first, channels = held(shop)["key"], [connect(db, shop) for _ in range(STRANDS)]
    for channel in channels:
        assert channel.check().currency == "EUR"
    with shopify.site.lock, shopify.site.store.work():
        expire(shopify.site)
    shop.renews_at = now()  # the hour is over in the middle of a load
    shopify.requests.clear()
    together = threading.Barrier(STRANDS, timeout=10)

    def read(strand: int) -> str:
        together.wait()
        (gone,) = channels[strand].read_back(["gid://shopify/Product/1"])
        return str(gone.status)

    with ThreadPoolExecutor(STRANDS) as threads:
        assert list(threads.map(read, range(STRANDS))) == ["missing"] * STRANDS
    asked = [call for call in shopify.requests.seen() if call["fields"] == ["oauth"]]
    assert len(asked) == 1
    assert held(stored(db, shop.id))["key"] != first
    assert one(db, "SELECT problem FROM shop") is None
