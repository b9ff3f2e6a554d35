"""Webhooks of a WooCommerce shop: subscribed, mended, verified, and what a bad way makes of them."""

import base64
import hashlib
import hmac
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connectors.shops.woocommerce.webhooks import derived_secret
from core.errors import Refused
from tests.contract.shops import Make, push
from tests.contract.woocommerce_order_rig import Ear, WooOrderRig, order_rig
from tests.workers import until

CHECKOUT = Path(__file__).resolve().parents[2]
MUG = "CT-1"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WooOrderRig]:
    with order_rig(tmp_path_factory.mktemp("webhooks")) as rig:
        push(rig.connect(), Make("CT", "EUR").simple(1, stock=1000))
        yield rig


@pytest.fixture
def rig(opened: WooOrderRig) -> Iterator[WooOrderRig]:
    opened.tidy()
    yield opened
    opened.tidy()
    for hook in opened.woo.rest("GET", "webhooks", params={"per_page": 100}):
        opened.woo.rest("DELETE", f"webhooks/{hook['id']}", params={"force": "true"})


TOPICS = ["order.created", "order.updated", "order.deleted", "product.updated", "product.deleted"]


def hooks(rig: WooOrderRig) -> list[dict[str, Any]]:
    found = rig.woo.rest("GET", "webhooks", params={"per_page": 100, "orderby": "id", "order": "asc"})
    return [hook for hook in found if hook["name"].startswith("Entrepot ")]


def test_what_is_disabled_paused_or_led_elsewhere_is_mended_and_others_are_left(rig: WooOrderRig) -> None:
    theirs = {
        "name": "Mailer",
        "topic": "order.created",
        "delivery_url": "http://127.0.0.1:9/x",
        "secret": "s",
    }
    other = rig.woo.rest("POST", "webhooks", json={**theirs, "status": "paused"})
    shop = rig.connect()
    assert shop.subscribe(rig.address) == TOPICS
    assert shop.subscribe(rig.address) == []
    created, updated, deleted, product, _ = hooks(rig)
    rig.woo.rest("PUT", f"webhooks/{created['id']}", json={"status": "disabled"})
    rig.woo.rest("PUT", f"webhooks/{updated['id']}", json={"delivery_url": "http://127.0.0.1:9/old"})
    rig.woo.rest("PUT", f"webhooks/{product['id']}", json={"status": "paused"})
    rig.woo.rest("DELETE", f"webhooks/{deleted['id']}", params={"force": "true"})
    assert shop.subscribe(rig.address) == TOPICS[:4]
    standing = [(hook["topic"], hook["status"], hook["delivery_url"]) for hook in hooks(rig)]
    assert sorted(standing) == sorted((topic, "active", rig.address) for topic in TOPICS)
    assert rig.woo.rest("GET", f"webhooks/{other['id']}") == other


def test_a_new_key_of_the_shop_renews_the_secret_of_the_webhooks(rig: WooOrderRig) -> None:
    """The shop never shows a secret; without the mark in the name nobody would see that it is the old one."""
    rig.connect().subscribe(rig.address)
    with rig.shop.site.store.work():
        for hook in rig.shop.site.store.find("kind = 'webhook'", ()):
            old = {**hook, "secret": derived_secret("the key before"), "name": hook["name"][:-8] + "00000000"}
            rig.shop.site.store.put("webhook", old)
    assert rig.connect().subscribe(rig.address) == TOPICS
    rig.webhooks()
    rig.buy([(MUG, 1)])
    told = [rig.connect().read_webhook(headers, body).kind for headers, body in rig.webhooks()]
    assert sorted(told) == ["order", "order", "product"]


def test_an_order_tells_of_itself_from_the_till_to_the_trash(rig: WooOrderRig) -> None:
    shop = rig.connect()
    shop.subscribe(rig.address)
    pings = [shop.read_webhook(headers, body) for headers, body in rig.webhooks()]
    assert {notice.kind for notice in pings} == {"ping"} and len(pings) == len(TOPICS)
    number = rig.buy([(MUG, 1)])
    arrived = rig.webhooks()
    rig.desk(number, "trash")
    arrived += rig.webhooks()
    told = [shop.read_webhook(headers, body) for headers, body in arrived]
    (mug,) = rig.woo.held(MUG)
    assert {(notice.kind, notice.topic, notice.external_id) for notice in told} == {
        *(("order", topic, number) for topic in TOPICS[:3]),
        ("product", "product.updated", str(mug["id"])),
    }
    assert len({notice.delivery_id for notice in told}) == len(told) == 4


def test_a_product_tells_of_itself_and_a_variation_of_its_product(rig: WooOrderRig) -> None:
    shop = rig.connect()
    draft = Make("CTP", "EUR").variable(1)
    result = push(shop, draft)[draft.key]
    shop.subscribe(rig.address)
    rig.webhooks()

    def told() -> set[tuple[str, str, str | None]]:
        notices = [shop.read_webhook(*one) for one in rig.webhooks()]
        return {(notice.kind, notice.topic, notice.external_id) for notice in notices}

    number = str(result.external_id)
    rig.woo.rest(
        "PUT", f"products/{number}/variations/{result.variant_ids['v1S']}", json={"stock_quantity": 3}
    )
    assert told() == {("product", "product.updated", number)}
    rig.woo.edit(number, name="Renamed")
    assert told() == {("product", "product.updated", number)}
    rig.woo.trash(number)
    assert ("product", "product.deleted", number) in told()


def test_a_forged_or_altered_webhook_is_refused(rig: WooOrderRig) -> None:
    shop = rig.connect()
    shop.subscribe(rig.address)
    rig.webhooks()
    rig.buy([(MUG, 1)])
    headers, body = next(one for one in rig.webhooks() if one[0]["x-wc-webhook-topic"] == "order.created")
    mine = base64.b64encode(hmac.new(b"guess", body, hashlib.sha256).digest()).decode()
    unsigned = {name: value for name, value in headers.items() if name != "x-wc-webhook-signature"}
    forgeries = [
        (headers, body + b" "),
        ({**headers, "x-wc-webhook-signature": mine}, body),
        ({**headers, "x-wc-webhook-signature": "ä"}, body),
        ({**headers, "x-wc-webhook-signature": ""}, body),
        (unsigned, body),
        ({**unsigned, "x-wc-webhook-signature": "x"}, b"webhook_id=1"),
    ]
    for given, altered in forgeries:
        with pytest.raises(Refused) as refused:
            shop.read_webhook(given, altered)
        assert refused.value.rule == "signature"
    assert shop.read_webhook(headers, body).kind == "order"


def test_seven_failures_silence_the_shop_until_the_hourly_look(rig: WooOrderRig) -> None:
    shop = rig.connect()
    shop.subscribe(rig.address)
    rig.webhooks()
    rig.ear.status = 500
    for _ in range(7):
        rig.buy([(MUG, 1)])
        rig.webhooks()
    rig.ear.status = 200
    rig.buy([(MUG, 1)])
    assert rig.webhooks() == [], "disabled: nothing more is told"
    assert shop.subscribe(rig.address) == ["order.created", "order.updated", "product.updated"]
    number = rig.buy([(MUG, 1)])
    told = [shop.read_webhook(*one) for one in rig.webhooks()]
    assert [one.external_id for one in told if one.kind == "order"] == [number, number]


def test_a_bad_way_loses_doubles_and_shuffles_as_it_says(rig: WooOrderRig) -> None:
    rig.connect().subscribe(rig.address)
    rig.webhooks()
    way = {"lost": 30, "doubled": 30, "late": 30, "late_seconds": 60, "seed": 5}
    before = rig.shop.deliveries.told()
    assert rig.switch("deliveries", way).status_code == 200
    bought = [rig.buy([(MUG, 1)]) for _ in range(40)]
    arrived = [rig.connect().read_webhook(*one) for one in rig.webhooks()]
    rig.switch("deliveries", {})
    told = {name: count - before[name] for name, count in rig.shop.deliveries.told().items()}
    assert told["waiting"] == 0 and told["sent"] == len(arrived)
    assert 80 <= told["sent"] - told["doubled"] + told["lost"] <= 120, (
        "each order fires created, updated and product.updated, of which those not yet sent collapse into one"
    )
    assert min(told["lost"], told["doubled"], told["late"]) > 5
    assert len({one.delivery_id for one in arrived}) == told["sent"] - told["doubled"]
    order = [one.external_id for one in arrived if one.topic == "order.created"]
    assert order != [number for number in bought if number in order], "the late ones come behind the others"
    assert {hook["status"] for hook in hooks(rig)} == {"active"}, (
        "what is lost on the way looks taken to the shop"
    )


def heard(ear: Ear, count: int) -> bool:
    return len(ear.heard) == count


def test_a_shop_whose_cron_runs_by_itself_tells_what_happens_at_the_till(tmp_path: Path) -> None:
    """The other one waits for a visit; both as their own program, as the demo starts them."""
    for cron, told in (("always", True), ("visits", False)):
        ear = Ear()
        command = [
            sys.executable,
            "-m",
            "sandbox.woocommerce",
            "--folder",
            str(tmp_path / cron),
            "--cron",
            cron,
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=CHECKOUT) as program:
            try:
                assert program.stdout is not None
                known = json.loads(program.stdout.readline())
                tls = ssl.create_default_context(cafile=known["ca_file"])
                with httpx2.Client(verify=tls, base_url=known["url"], trust_env=False) as client:
                    key, token = (
                        (known["key"], known["secret"]),
                        {"Authorization": f"Bearer {known['admin_token']}"},
                    )
                    product = {"name": "Mug", "sku": "M", "regular_price": "1.00"}
                    hook = {"topic": "order.created", "delivery_url": ear.url, "secret": "s"}
                    for path, fields in (("products", product), ("webhooks", hook)):
                        assert client.post(f"/wp-json/wc/v3/{path}", json=fields, auth=key).status_code == 201
                    until(partial(heard, ear, 1))
                    client.post("/sandbox/cron", headers=token)  # the ping is out, and nothing else waits
                    bought = client.post("/sandbox/order", json={"lines": [{"sku": "M"}]}, headers=token)
                    assert bought.status_code == 201
                    if told:
                        until(partial(heard, ear, 2))
                        assert json.loads(ear.heard[1][1])["id"] == bought.json()["id"]
                    waiting = client.get("/sandbox/deliveries", headers=token).json()
                    assert waiting == {
                        "sent": int(told),
                        "lost": 0,
                        "doubled": 0,
                        "late": 0,
                        "waiting": int(not told),
                    }
            finally:
                program.terminate()
                ear.close()
