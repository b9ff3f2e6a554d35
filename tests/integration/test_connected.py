"""A shop that is connected: its tokens are renewed, and it is put away, forgotten, disconnected and connected anew."""

# ruff: noqa: F811 - fixtures are asked for by their names

import ssl
from datetime import timedelta
from urllib.parse import urlsplit

import httpx2
import pytest

from core.clock import now
from core.database import Database
from core.errors import Misconfigured
from core.settings import load
from core.vault import load_vault
from models.shops import Shop
from pipelines.connecting import DISCONNECTED, TAKEN_BACK, UNINSTALLED, anew, renewed
from pipelines.opening import connect
from sandbox.shopify.shop import Shop as Shopify
from tests.connecting import (  # noqa: F401 - fixtures
    add_listing,
    add_order,
    agree,
    connected,
    db,
    held,
    opened,
    path_of,
    sent,
    shopify,
    stored,
    way,
)
from tests.console import Console
from tests.stepping import one, pending, rows


def test_a_token_is_renewed_before_it_ends_and_of_two_the_first_wins(
    opened: Console, db: Database, shopify: Shopify
) -> None:
    shop_id = connected(opened, shopify)
    first = held(stored(db, shop_id))
    assert (
        renewed(db, stored(db, shop_id), load()).credentials == stored(db, shop_id).credentials
    )  # still far off
    with db.unit_of_work() as uow:
        uow.cursor().execute("UPDATE shop SET renews_at = now() + interval '4 minutes'")
    one_of_two, other = stored(db, shop_id), stored(db, shop_id)
    assert connect(db, one_of_two).check().currency == "EUR"
    second = held(stored(db, shop_id))
    assert second["key"] != first["key"] and second["refresh"] != first["refresh"]
    assert {**second, "key": "", "refresh": ""} == {**first, "key": "", "refresh": ""}
    assert one_of_two.renews_at is not None and one_of_two.renews_at > now() + timedelta(minutes=50)
    # The slower one had read the old token: whatever it got, the stored one counts.
    assert held(renewed(db, other, load())) == second == held(stored(db, shop_id))
    assert connect(db, other).check().currency == "EUR"


def test_a_token_that_ends_while_a_shop_is_open_is_renewed(
    opened: Console, db: Database, shopify: Shopify
) -> None:
    shop = stored(db, connected(opened, shopify))
    first, channel = held(shop)["key"], connect(db, shop)
    assert channel.check().currency == "EUR"
    shop.renews_at = now()  # the hour is over in the middle of a load
    told = shopify.description()
    admin = {"Authorization": f"Bearer {told['admin_token']}"}
    tls = ssl.create_default_context(cafile=told["ca_file"])
    httpx2.post(f"{shopify.url}/sandbox/token", json={"expire": True}, headers=admin, verify=tls)
    (gone,) = channel.read_back(["gid://shopify/Product/1"])
    assert gone.status == "missing"
    assert held(stored(db, shop.id))["key"] != first


def test_an_access_that_was_taken_back_puts_the_shop_away(
    opened: Console, db: Database, shopify: Shopify
) -> None:
    shop_id = connected(opened, shopify)
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        shop.credentials = load_vault(load()).seal({**held(shop), "refresh": "shprt_gone"})
        shop.renews_at = shop.live_since = now()
    with pytest.raises(Misconfigured, match="connect it anew"):
        connect(db, stored(db, shop_id))
    assert (stored(db, shop_id).problem, stored(db, shop_id).live_since) == (TAKEN_BACK, None)


@pytest.mark.deep
def test_a_wrong_app_secret_is_the_operators_matter_and_the_shop_stays_live(
    opened: Console, db: Database, shopify: Shopify, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop_id = connected(opened, shopify)
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        shop.renews_at = shop.live_since = now()
    monkeypatch.setenv("ENTREPOT_SHOPIFY_CLIENT_SECRET", "wrong")
    with pytest.raises(Misconfigured, match="client id or secret is wrong"):
        connect(db, stored(db, shop_id))
    assert stored(db, shop_id).live_since is not None
    monkeypatch.setenv("ENTREPOT_SHOPIFY_CLIENT_SECRET", shopify.description()["client_secret"])
    assert connect(db, stored(db, shop_id)).check().currency == "EUR"


def test_a_removed_app_stops_the_pushes_and_connecting_anew_goes_on(
    opened: Console, db: Database, shopify: Shopify
) -> None:
    shop_id = connected(opened, shopify)
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        shop.live_since = now()
        add_listing(uow, shop_id)
    call = {"X-Shopify-Topic": "app/uninstalled", "X-Shopify-Webhook-Id": "w1", "X-Shopify-Shop-Domain": "x"}
    assert sent(opened, shopify, f"/hooks/{shop_id}", call, {"id": 1}) == 200
    shop = stored(db, shop_id)
    assert (shop.problem, shop.live_since) == (UNINSTALLED, None)
    assert opened.api("POST", f"/shops/{shop_id}/push").status_code == 422
    assert rows(db, "SELECT external_id FROM listing") == [("gid://shopify/ProductVariant/1",)]  # it stays
    assert connected(opened, shopify) == shop_id
    shop = stored(db, shop_id)
    assert shop.problem is None and shop.live_since is not None
    assert [message["event"] for message in pending(db)] == ["HooksDue", "ListingsDue"]


def test_a_removal_that_is_told_after_the_app_was_let_in_again_stops_nothing(
    opened: Console, db: Database, shopify: Shopify
) -> None:
    shop_id, before = connected(opened, shopify), now()
    assert connected(opened, shopify) == shop_id
    db.run("UPDATE shop SET live_since = now()")
    call = {"X-Shopify-Topic": "app/uninstalled", "X-Shopify-Shop-Domain": "x"}
    late = {**call, "X-Shopify-Webhook-Id": "w1", "X-Shopify-Triggered-At": before.isoformat()}
    assert sent(opened, shopify, f"/hooks/{shop_id}", late, {"id": 1}) == 200
    assert (stored(db, shop_id).problem, stored(db, shop_id).live_since is None) == (None, False)
    anew = {**call, "X-Shopify-Webhook-Id": "w2", "X-Shopify-Triggered-At": now().isoformat()}
    assert sent(opened, shopify, f"/hooks/{shop_id}", anew, {"id": 1}) == 200
    assert (stored(db, shop_id).problem, stored(db, shop_id).live_since) == (UNINSTALLED, None)


def test_a_shop_whose_things_were_only_adopted_does_not_go_live_by_a_new_key(
    opened: Console, db: Database, shopify: Shopify
) -> None:
    shop_id = connected(opened, shopify)
    with db.unit_of_work() as uow:
        add_listing(uow, shop_id)
        uow.cursor().execute("UPDATE listing SET state = 'waiting'")
        uow.session.get_one(Shop, shop_id).problem = "Its key is wrong."
    assert connected(opened, shopify) == shop_id
    assert (stored(db, shop_id).problem, stored(db, shop_id).live_since) == (None, None)
    assert pending(db) == []


@pytest.mark.deep
def test_another_address_cannot_take_the_place_of_a_shop_with_listings(
    opened: Console, db: Database, shopify: Shopify
) -> None:
    shop_id = connected(opened, shopify)
    with db.unit_of_work() as uow:
        add_listing(uow, shop_id)
        uow.session.get_one(Shop, shop_id).url = "https://before.myshopify.com"
    back = path_of(agree(shopify, way(db, "shopify", shopify.url, shopify.ca_file)))
    answer = opened.get(back)
    assert answer.status_code == 422 and "has listings there" in answer.text
    assert stored(db, shop_id).url == "https://before.myshopify.com"


# ---------------------------------------------------------------- Shopify's calls to the app
def test_a_buyer_is_forgotten_where_the_app_is_told_to(
    opened: Console, db: Database, shopify: Shopify
) -> None:
    shop_id = connected(opened, shopify)
    domain = urlsplit(shopify.url).netloc
    orders = {number: add_order(db, shop_id, number) for number in (11, 12)}
    call = {
        "X-Shopify-Topic": "customers/redact",
        "X-Shopify-Webhook-Id": "w1",
        "X-Shopify-Shop-Domain": domain,
    }
    body = {"orders_to_redact": [11, 99]}
    assert sent(opened, shopify, "/hooks/shopify", call, body, secret="wrong") == 401
    assert one(db, "SELECT count(*) FROM order_buyer") == 2
    for _ in range(2):
        assert sent(opened, shopify, "/hooks/shopify", call, body) == 200
    assert rows(db, "SELECT order_id FROM order_buyer") == [(orders[12],)]
    assert rows(db, "SELECT order_id, what FROM order_event") == [(orders[11], "forgotten")]
    asked = {**call, "X-Shopify-Topic": "customers/data_request", "X-Shopify-Webhook-Id": "w2"}
    assert sent(opened, shopify, "/hooks/shopify", asked, {"orders_requested": [12]}) == 200
    elsewhere = {**call, "X-Shopify-Topic": "shop/redact", "X-Shopify-Shop-Domain": "other.myshopify.com"}
    assert sent(opened, shopify, "/hooks/shopify", elsewhere, {}) == 200
    assert one(db, "SELECT count(*) FROM order_buyer") == 1
    whole = {**elsewhere, "X-Shopify-Shop-Domain": domain, "X-Shopify-Webhook-Id": "w3"}
    assert sent(opened, shopify, "/hooks/shopify", whole, {}) == 200
    assert one(db, "SELECT count(*) FROM order_buyer") == 0
    assert one(db, "SELECT count(*) FROM shop_order") == 2


# ---------------------------------------------------------------- WooCommerce
def test_a_disconnected_shop_keeps_its_listings_and_nothing_opens_it(
    opened: Console, db: Database, shopify: Shopify
) -> None:
    shop_id = connected(opened, shopify)
    assert opened.api("POST", f"/shops/{shop_id}/disconnect").status_code == 200
    shop = stored(db, shop_id)
    assert (shop.credentials, shop.problem, shop.renews_at) == (b"", DISCONNECTED, None)
    assert anew(load(), shop).ca_file == str(
        shopify.ca_file
    )  # it is no secret, and the shop answers to it alone
    with pytest.raises(Misconfigured, match="not connected"):
        connect(db, shop)
    assert sent(opened, shopify, f"/hooks/{shop_id}", {"X-Shopify-Topic": "orders/create"}, {"id": 1}) == 401
