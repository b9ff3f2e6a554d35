"""Connecting a shop on its own page, in real sandbox shops: consent, keys, and what a stranger cannot do."""

# ruff: noqa: F811 - fixtures are asked for by their names

import re
from datetime import timedelta
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx2
import pytest

from core.clock import now
from core.database import Database
from core.errors import Misconfigured
from core.settings import load
from pipelines.making import NewShop, connect_shop
from pipelines.opening import connect
from sandbox.shopify.shop import Shop as Shopify
from sandbox.woocommerce.shop import Shop as Woo
from tests.connecting import (  # noqa: F401 - fixtures
    HUB,
    agree,
    connected,
    db,
    held,
    opened,
    path_of,
    seller,
    shopify,
    stored,
    way,
    woo,
)
from tests.console import Console, served, token_in
from tests.stepping import one, pending, rows


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
    form["ca_text"] = Path(shopify.ca_file).read_text()
    page = opened.post("/connect", _from="/shops/new", **form)
    found = re.search(r'href="(https://127[^"]+)"', page.text)
    assert page.status_code == 200 and found
    address = unescape(found[1])
    asked = parse_qs(urlsplit(address).query)
    assert asked["redirect_uri"] == [f"{HUB}/connect/shopify"]
    assert "write_products" in asked["scope"][0]
    (state,) = asked["state"]
    assert state not in str(rows(db, "SELECT * FROM connection_request"))  # only its hash is kept
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
    assert "The shop is not connected" in answer.text and "To the sign-in page" not in answer.text
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


def test_a_shop_with_its_own_authority_is_connected_by_the_form(
    opened: Console, db: Database, woo: Woo
) -> None:
    told = woo.description()
    opened.sign_in()
    form = {
        "name": "Lampen",
        "url": woo.url,
        "new_seller": "Lampen GmbH",
        "key": told["key"],
        "secret": told["secret"],
    }
    without = opened.post("/shops", _from="/shops/new", **form)
    assert without.status_code == 409 and "give its own CA file" in without.text
    form["csrf"] = token_in(opened.get("/shops/new").text)
    pem = Path(woo.ca_file).read_bytes()
    der = opened.client.post("/shops", data=form, files={"ca_upload": ("ca.der", b"\x30\x82\xff")})
    assert der.status_code == 422 and "Base-64" in der.text
    assert one(db, "SELECT count(*) FROM shop") == 0
    answer = opened.client.post("/shops", data=form, files={"ca_upload": ("ca.pem", pem)})
    assert answer.headers["location"].endswith("?said=connected")
    shop = stored(db, one(db, "SELECT id FROM shop"))
    kept = Path(held(shop)["ca_file"])
    assert kept.parent.name == "authorities" and kept.read_text().strip() == pem.decode().strip()
    assert connect(db, shop).check().currency == "EUR"  # a worker opens it with the same file
