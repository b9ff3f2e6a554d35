"""Connecting a shop on its own page, in real sandbox shops: consent, keys and tokens, their renewal, and what a stranger cannot do."""

import hashlib
import hmac
import json
import re
import ssl
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx2
import pytest

from core.clock import now
from core.database import Database
from core.errors import Misconfigured
from core.settings import load
from core.vault import load_vault
from models.companies import Company
from models.shops import Shop
from pipelines.connecting import DISCONNECTED, TAKEN_BACK, UNINSTALLED, Wish, begin, renewed
from pipelines.making import NewShop, connect_shop
from pipelines.opening import connect
from sandbox.shopify.shop import Shop as Shopify
from sandbox.woocommerce.shop import Shop as Woo
from tests.console import Console, console, served
from tests.stepping import one, pending, rows

APP = {"shopify_client_id": "", "shopify_client_secret": ""}
HUB = "http://127.0.0.1:8010"


@pytest.fixture(scope="module")
def shopify(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shopify]:
    with Shopify(tmp_path_factory.mktemp("shopify")) as shop:
        yield shop


@pytest.fixture(scope="module")
def woo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Woo]:
    with Woo(tmp_path_factory.mktemp("woo"), plain_callbacks=True) as shop:
        yield shop


@pytest.fixture
def opened(
    database_url: str, tmp_path: Path, shopify: Shopify, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Console]:
    told = shopify.description()
    chosen = {
        "private_hosts": "127.0.0.1", "public_url": HUB, "shopify_client_id": told["client_id"],
        "shopify_client_secret": told["client_secret"],
    }  # fmt: skip
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    for name, value in chosen.items():
        monkeypatch.setenv(f"ENTREPOT_{name.upper()}", value)
    with console(database_url, tmp_path, sign_in=False, **chosen) as made:
        yield made


@pytest.fixture
def db(opened: Console) -> Database:
    return opened.db


def seller(db: Database) -> int:
    with db.unit_of_work() as uow:
        company = Company(kind="seller", code="LAMPEN", name="Lampen GmbH")
        uow.session.add(company)
        uow.session.flush()
        return company.id


def way(
    db: Database, channel: str, url: str, ca_file: Path, *, session: bytes | None = None, name: str = "Shop"
) -> str:
    """The address that a seller is sent to."""
    found = one(db, "SELECT max(id) FROM company WHERE kind = 'seller'") or seller(db)
    with db.unit_of_work() as uow:
        return begin(uow, load(), Wish(found, channel, name, url, str(ca_file)), session)


def agree(shop: Shopify | Woo, address: str, **more: str) -> str:
    """The owner's click on the shop's own page; where it sends him."""
    with httpx2.Client(
        verify=ssl.create_default_context(cafile=str(shop.ca_file)), trust_env=False
    ) as browser:
        answer = browser.post(address, data={**dict(parse_qsl(urlsplit(address).query)), **more})
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"])


def path_of(address: str) -> str:
    """The part of the hub's address behind its name."""
    assert address.startswith(HUB), address
    return address.removeprefix(HUB)


def connected(opened: Console, shopify: Shopify) -> int:
    """A Shopify shop connected with tokens that end."""
    back = agree(shopify, way(opened.db, "shopify", shopify.url, shopify.ca_file))
    answer = opened.get(path_of(back))
    assert answer.status_code == 200 and "The shop is connected" in answer.text
    return int(one(opened.db, "SELECT shop_id FROM connection_request ORDER BY used_at DESC LIMIT 1"))


def stored(db: Database, shop_id: int) -> Shop:
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id)
        uow.session.expunge_all()
        return shop


def held(shop: Shop) -> dict[str, Any]:
    return load_vault(load()).open(shop.credentials)


# ---------------------------------------------------------------- Shopify
def test_an_owner_agrees_and_his_shopify_is_connected(
    opened: Console, db: Database, shopify: Shopify
) -> None:
    shop_id = connected(opened, shopify)
    shop = stored(db, shop_id)
    assert (shop.channel, shop.url, shop.currency, shop.problem, shop.live_since) == (
        "shopify", shopify.url, "EUR", None, None,
    )  # fmt: skip
    assert shop.renews_at is not None and shop.renews_at > now() + timedelta(minutes=50)
    assert set(held(shop)) == {"key", "secret", "ca_file", "refresh"}
    assert held(shop)["key"].encode() not in shop.credentials  # sealed
    assert connect(db, shop).check().currency == "EUR"
    assert pending(db) == []  # nothing is sent before its first push


def test_the_console_shows_the_way_and_only_its_own_browser_comes_back(
    opened: Console, db: Database, shopify: Shopify
) -> None:
    opened.sign_in()
    form = {"channel": "shopify", "name": "Lampen", "url": shopify.url, "new_seller": "Lampen GmbH"}
    page = opened.post("/connect", _from="/shops/new", **form)
    found = re.search(r'href="(https://127[^"]+)"', page.text)
    assert page.status_code == 200 and found
    address = unescape(found[1])
    asked = parse_qs(urlsplit(address).query)
    assert asked["redirect_uri"] == [f"{HUB}/connect/shopify"]
    assert "write_products" in asked["scope"][0]
    (state,) = asked["state"]
    assert state not in str(rows(db, "SELECT * FROM connection_request"))  # only its hash is kept
    with db.unit_of_work() as uow:  # the browser's authority is not asked for by the form
        uow.cursor().execute("UPDATE connection_request SET ca_file = %s", [str(shopify.ca_file)])
    back = path_of(agree(shopify, address))
    with httpx2.Client() as _:
        stranger = opened.client.__class__(
            opened.client.app, follow_redirects=False, raise_server_exceptions=False
        )
        answer = stranger.get(back)
    assert answer.status_code == 422 and "was not begun here" in answer.text
    assert one(db, "SELECT count(*) FROM shop") == 0
    assert opened.get(back).headers["location"].endswith("?said=connected")


def test_what_shopify_did_not_sign_is_refused_and_uses_nothing_up(
    opened: Console, db: Database, shopify: Shopify
) -> None:
    back = path_of(agree(shopify, way(db, "shopify", shopify.url, shopify.ca_file)))
    query = dict(parse_qsl(urlsplit(back).query))
    for name in ("hmac", "shop", "code", "state"):
        wrong = opened.get(f"/connect/shopify?{urlencode({**query, name: 'x' + query[name]})}")
        assert wrong.status_code == 422 and "signature" in wrong.text, name
    assert one(db, "SELECT count(*) FROM shop") == 0
    assert one(db, "SELECT count(*) FROM connection_request WHERE used_at IS NULL") == 1
    assert opened.get(back).status_code == 200


def test_a_way_counts_once_and_for_an_hour(opened: Console, db: Database, shopify: Shopify) -> None:
    back = path_of(agree(shopify, way(db, "shopify", shopify.url, shopify.ca_file)))
    assert opened.get(back).status_code == 200
    assert opened.get(back).status_code == 422
    late = path_of(agree(shopify, way(db, "shopify", shopify.url, shopify.ca_file, name="Late")))
    with db.unit_of_work() as uow:
        uow.cursor().execute(
            "UPDATE connection_request SET created_at = now() - interval '61 minutes' WHERE used_at IS NULL"
        )
    assert opened.get(late).status_code == 422
    assert rows(db, "SELECT name FROM shop") == [("Shop",)]


@pytest.mark.deep
def test_another_shop_cannot_answer_for_the_one_that_was_asked(
    opened: Console, db: Database, shopify: Shopify
) -> None:
    address = way(db, "shopify", "https://lampen.myshopify.com", shopify.ca_file)
    back = path_of(agree(shopify, f"{shopify.url}/admin/oauth/authorize?{urlsplit(address).query}"))
    answer = opened.get(back)
    assert answer.status_code == 422 and "Another shop answered" in answer.text
    assert one(db, "SELECT count(*) FROM shop") == 0


@pytest.mark.deep
def test_too_few_scopes_connect_nothing_and_say_which_are_missing(
    opened: Console, db: Database, shopify: Shopify
) -> None:
    address = way(db, "shopify", shopify.url, shopify.ca_file)
    query = dict(parse_qsl(urlsplit(address).query))
    fewer = ",".join(one for one in query["scope"].split(",") if one != "write_inventory")
    back = path_of(agree(shopify, address, scope=fewer))
    answer = opened.get(back)
    assert answer.status_code == 409 and "did not grant write_inventory" in answer.text
    assert one(db, "SELECT count(*) FROM shop") == 0
    assert "write_inventory" in one(db, "SELECT problem FROM connection_request")


def test_a_client_secret_goes_to_no_stranger_and_keys_over_no_open_line(
    db: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for url in (
        "https://evil.example",
        "http://lampen.myshopify.com",
        "https://x.myshopify.com.evil.example",
    ):
        with pytest.raises(Misconfigured):
            way(db, "shopify", url, tmp_path)
    monkeypatch.setenv("ENTREPOT_PUBLIC_URL", "http://hub.example")
    with pytest.raises(Misconfigured, match="https addresses only"):
        way(db, "woocommerce", "https://shop.example", tmp_path)
    monkeypatch.setenv("ENTREPOT_PUBLIC_URL", "https://hub.example")
    with pytest.raises(Misconfigured, match="https"):
        way(db, "woocommerce", "http://shop.lan/blog", tmp_path)
    assert one(db, "SELECT count(*) FROM connection_request") == 0
    monkeypatch.setenv("ENTREPOT_INSECURE_SHOPS", "shop.lan")
    address = way(db, "woocommerce", "http://shop.lan/blog", tmp_path)
    assert address.startswith("http://shop.lan/blog/wc-auth/v1/authorize?")


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
def test_an_owner_agrees_and_his_woocommerce_sends_its_keys(opened: Console, db: Database, woo: Woo) -> None:
    address = way(db, "woocommerce", woo.url, woo.ca_file)
    (token,) = parse_qs(urlsplit(address).query)["user_id"]
    with served(opened) as hub:
        back = agree(woo, address, callback_url=f"{hub}/connect/woocommerce/{token}")
    answer = opened.get(path_of(back))
    assert answer.status_code == 200 and "The shop is connected" in answer.text
    shop_id = one(db, "SELECT id FROM shop")
    opened.sign_in()
    assert opened.get(path_of(back)).headers["location"] == f"/shops/{shop_id}?said=connected"
    shop = stored(db, shop_id)
    assert (shop.channel, shop.url, shop.problem, shop.renews_at) == ("woocommerce", woo.url, None, None)
    assert held(shop)["key"].startswith("ck_") and held(shop)["key"] != woo.description()["key"]
    assert connect(db, shop).check().currency == "EUR"


def test_who_was_not_asked_gets_no_shop_and_an_owner_who_denies_is_told(
    opened: Console, db: Database, woo: Woo
) -> None:
    address = way(db, "woocommerce", woo.url, woo.ca_file)
    (token,) = parse_qs(urlsplit(address).query)["user_id"]
    keys = {
        "consumer_key": "ck_" + "a" * 40,
        "consumer_secret": "cs_" + "a" * 40,
        "key_permissions": "read_write",
    }
    for name, told in (("other", {"user_id": "other", **keys}), (token, {"user_id": "other", **keys})):
        assert opened.client.post(f"/connect/woocommerce/{name}", json=told).status_code == 422
    readonly = {"user_id": token, **keys, "key_permissions": "read"}
    assert opened.client.post(f"/connect/woocommerce/{token}", json=readonly).status_code == 422
    assert opened.client.post(f"/connect/woocommerce/{token}", content=b"[").status_code == 422
    back = opened.get(path_of(agree(woo, address, deny="1")))
    assert back.status_code == 422 and "did not agree" in back.text
    # keys that the shop does not know are refused, and the way is used up
    assert (
        opened.client.post(f"/connect/woocommerce/{token}", json={"user_id": token, **keys}).status_code
        == 422
    )
    assert one(db, "SELECT count(*) FROM shop") == 0
    assert one(db, "SELECT problem IS NOT NULL FROM connection_request")


def test_a_key_is_pasted_over_http_where_the_operator_allows_it(
    db: Database, woo: Woo, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = woo.description()
    asked = NewShop(
        name="Plain", seller=str(seller(db)), url=told["http_url"], key=told["key"], secret=told["secret"]
    )
    with pytest.raises(Misconfigured, match="https"):
        connect_shop(db, load(), asked)
    monkeypatch.setenv("ENTREPOT_INSECURE_SHOPS", "127.0.0.1")
    shop = stored(db, connect_shop(db, load(), asked))
    assert connect(db, shop).check().currency == "EUR"
    monkeypatch.delenv("ENTREPOT_INSECURE_SHOPS")  # taken back: its key goes over that line no more
    with pytest.raises(Misconfigured, match="https"):
        connect(db, shop)


def test_a_disconnected_shop_keeps_its_listings_and_nothing_opens_it(
    opened: Console, db: Database, shopify: Shopify
) -> None:
    shop_id = connected(opened, shopify)
    assert opened.api("POST", f"/shops/{shop_id}/disconnect").status_code == 200
    shop = stored(db, shop_id)
    assert (shop.credentials, shop.problem, shop.renews_at) == (b"", DISCONNECTED, None)
    with pytest.raises(Misconfigured, match="not connected"):
        connect(db, shop)
    assert sent(opened, shopify, f"/hooks/{shop_id}", {"X-Shopify-Topic": "orders/create"}, {"id": 1}) == 401


def sent(
    opened: Console,
    shopify: Shopify,
    path: str,
    headers: dict[str, str],
    body: Any,
    secret: str | None = None,
) -> int:
    """A call of Shopify's, signed by the app's secret."""
    raw = json.dumps(body).encode()
    key = (secret or shopify.description()["client_secret"]).encode()
    mark = b64encode(hmac.new(key, raw, hashlib.sha256).digest()).decode()
    answer = opened.client.post(path, content=raw, headers={**headers, "X-Shopify-Hmac-Sha256": mark})
    return int(answer.status_code)


def add_listing(uow: Any, shop_id: int) -> None:
    cursor = uow.cursor()
    cursor.execute("INSERT INTO product (title, kind, images) VALUES ('Lamp', 'goods', '[]') RETURNING id")
    (product,) = cursor.fetchone()
    cursor.execute("INSERT INTO variant (product_id, key, sku, title, options, images) VALUES (%s, 'A', 'A', 'Lamp', '{}', '[]') RETURNING id", [product])  # fmt: skip
    (variant,) = cursor.fetchone()
    cursor.execute(
        "INSERT INTO listing (shop_id, product_id, variant_id, state, external_id) VALUES (%s, %s, %s, 'live', 'gid://shopify/ProductVariant/1')",
        [shop_id, product, variant],
    )


def add_order(db: Database, shop_id: int, number: int) -> int:
    with db.unit_of_work() as uow:
        cursor = uow.cursor()
        cursor.execute(
            "INSERT INTO shop_order (shop_id, seller_id, external_id, number, currency, standing, placed_at, external_updated_at, total_minor)"
            " SELECT id, seller_id, %s, %s, 'EUR', 'open', now(), now(), 100 FROM shop WHERE id = %s RETURNING id",
            [f"gid://shopify/Order/{number}", f"#{number}", shop_id],
        )
        ((order_id,),) = cursor.fetchall()
        cursor.execute(
            'INSERT INTO order_buyer (order_id, address) VALUES (%s, \'{"name": "Eva"}\')', [order_id]
        )
        return int(order_id)
