"""What only the WooCommerce connector keeps: its fields, its taxonomies, the sizes of its calls, its owners' mistakes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from connectors.base import PushResult, StockLevel
from connectors.shops.woocommerce import mapping
from connectors.shops.woocommerce.stock import Stock
from core.errors import EntrepotError, Misconfigured, Temporary
from sandbox.woocommerce.shop import Shop
from tests.contract.shops import PATIENCE, Make, WooRig, assert_true, known, push, read

CHANNEL = "woocommerce"


def raw(woo: WooRig, prefix: str) -> dict[str, dict[str, Any]]:
    return {thing["sku"]: thing for thing in woo.held(prefix)}


def test_fields_only_this_channel_has(woo: WooRig, make: Make, prefix: str) -> None:
    shop = woo.connect()
    unit = shop.check().weight_unit
    drafts = [
        make.simple(
            1,
            weight_g=350,
            description="<p>Blue</p>",
            brand="Acme",
            category=(f"{prefix} Kitchen & Co", f"{prefix} Mugs"),
        ),
        make.simple(2, kind="service", category=(f"{prefix} kitchen & co",)),
        make.variable(3, brand="Acme"),
    ]
    push(shop, *drafts)
    held = raw(woo, prefix)
    mug, service, shirt = held[f"{prefix}-1"], held[f"{prefix}-2"], held[f"entrepot-{prefix}-k3"]
    assert (mug["manage_stock"], mug["virtual"], mug["status"], mug["regular_price"]) == (
        True,
        False,
        "publish",
        "12.50",
    )
    assert mug["weight"] == (mapping.weight(350, unit) if unit else ""), (
        "no unit is told: no weight is guessed"
    )
    assert mug["description"].strip() == "<p>Blue</p>", "read back, it ends in a line break"
    assert [(a["name"], a["options"], a["variation"]) for a in mug["attributes"]] == [
        ("Brand", ["Acme"], False)
    ]
    assert [c["name"] for c in mug["categories"]] == [f"{prefix} Mugs"]
    assert service["virtual"] is True
    categories = {c["id"]: c for c in woo.pages("products/categories")}
    above = categories[categories[mug["categories"][0]["id"]]["parent"]]
    assert service["categories"][0]["id"] == above["id"], "the same name in another case is the same category"
    assert [(a["name"], a["options"], a["variation"]) for a in shirt["attributes"]] == [
        ("Size", ["S", "M", "L"], True), ("Fit", ["slim"], True), ("Brand", ["Acme"], False),
    ]  # fmt: skip
    assert all(held[f"{prefix}-3-{size}"]["manage_stock"] is True for size in "SML")


def test_the_owners_own_sorting_is_left_alone(woo: WooRig, make: Make, prefix: str) -> None:
    shop = woo.connect()
    draft = make.simple(1, category=(f"{prefix} Mugs",))
    result = push(shop, draft)[draft.key]
    own = woo.rest("POST", "products/categories", json={"name": f"{prefix} Gifts"})
    woo.edit(str(result.external_id), categories=[{"id": own["id"]}], sale_price="9.99")
    push(shop, known(draft, result))
    held = raw(woo, prefix)[f"{prefix}-1"]
    assert [c["id"] for c in held["categories"]] == [own["id"]]
    (mugs,) = [c for c in woo.pages("products/categories") if c["name"] == f"{prefix} Mugs"]
    woo.rest("DELETE", f"products/categories/{mugs['id']}", params={"force": "true"})
    push(woo.connect(), known(draft, result))
    names = [c["name"] for c in woo.pages("products/categories")]
    assert f"{prefix} Gifts" in names and f"{prefix} Mugs" not in names, (
        "a category he does not want stays away"
    )
    assert held["sale_price"] == "9.99"


def test_a_category_made_by_another_meanwhile_is_adopted(woo: WooRig, make: Make, prefix: str) -> None:
    shop = woo.connect()
    push(shop, make.simple(1, category=(f"{prefix} One",)))  # the connector has read the categories by now
    theirs = woo.rest("POST", "products/categories", json={"name": f"{prefix} Two"})
    draft = make.simple(2, category=(f"{prefix} Two",))
    push(shop, draft)
    assert raw(woo, prefix)[f"{prefix}-2"]["categories"][0]["id"] == theirs["id"]


def test_a_name_too_long_for_the_shop_is_left_out_and_told(woo: WooRig, make: Make, prefix: str) -> None:
    shop = woo.connect()
    draft = make.simple(
        1, category=(f"{prefix} {'x' * 200}",), tags=(f"{prefix} {'&' * 50}", f"{prefix} new")
    )
    result = push(shop, draft)[draft.key]
    assert result.problem is None and set(result.problems) == {"category", "tags"}
    assert all("is longer than 200 characters" in words for words in result.problems.values())
    assert woo.page(str(result.external_id), make.currency).tags == {f"{prefix} new"}


def test_a_gtin_in_use_is_left_out(woo: WooRig, make: Make, prefix: str) -> None:
    shop = woo.connect()
    gtin = make.gtin()
    one, two = make.simple(1, gtin=gtin), make.simple(2, gtin=gtin)
    first = push(shop, one)
    second = push(shop, two)[two.key]
    assert second.variant_ids.keys() == {"v2"} and second.problem is None
    assert (
        f"GTIN {gtin} is invalid or used by another product (id {first[one.key].external_id})"
        in second.problems["v2"]
    )
    held = raw(woo, prefix)
    assert (held[f"{prefix}-1"]["global_unique_id"], held[f"{prefix}-2"]["global_unique_id"]) == (gtin, "")


def test_a_variable_product_becomes_simple_and_back(woo: WooRig, make: Make, prefix: str) -> None:
    """Its old variation still holds the SKU that the product itself now needs."""
    shop = woo.connect()
    draft = make.variable(1, sizes="S")
    first = push(shop, draft)[draft.key]
    single = replace(
        known(draft, first),
        variants=(replace(draft.variants[0], options=(), external_id=first.variant_ids["v1S"]),),
    )
    second = push(shop, single)
    assert_true(shop, [single], second)
    assert second[draft.key].external_id == first.external_id
    assert [str(one["id"]) for one in woo.held(prefix)] == [first.external_id], (
        "the shop deletes its variations"
    )
    back = replace(known(single, second[draft.key]), variants=make.variable(1, sizes="SM").variants)
    third = push(shop, back)[draft.key]
    assert third.problem is None and set(third.variant_ids) == {"v1S", "v1M"}
    assert third.external_id == first.external_id
    assert sorted(sku for sku in raw(woo, prefix) if not sku.startswith("entrepot")) == [
        f"{prefix}-1-M",
        f"{prefix}-1-S",
    ]


def test_a_look_up_comes_before_anything_is_sent_again(woo: WooRig, sandbox: Shop, make: Make) -> None:
    shop = woo.connect()
    shop.check()
    sandbox.requests.clear()
    woo.fail("drop_after")
    push(shop, make.simple(1))
    calls = [
        (call["method"], call["path"].rpartition("/wc/v3")[2], call["query"].get("sku"), call["batch"])
        for call in sandbox.requests.seen()
    ]
    sku = f"{make.prefix}-1"
    assert calls == [
        ("POST", "/products/batch", None, {"create": 1}),
        ("GET", "/products", sku, {}),
        ("POST", "/products/batch", None, {"update": 1}),
    ]


def test_a_key_that_may_only_read(woo: WooRig, sandbox: Shop, make: Make) -> None:
    known_keys = sandbox.description()
    shop = woo.connect(key=known_keys["readonly_key"], secret=known_keys["readonly_secret"])
    for attempt in (shop.check, lambda: push(shop, make.simple(1))):
        with pytest.raises(Misconfigured, match=r"may only read.*Read/Write"):
            attempt()
    assert woo.held(make.prefix) == []


def test_other_wrong_addresses(woo: WooRig, sandbox: Shop) -> None:
    with pytest.raises(Misconfigured, match="entered with http://"):
        woo.connect(url=sandbox.http_url)
    port = httpx2.URL(sandbox.http_url).port
    with pytest.raises(Misconfigured, match="does not speak https"):
        woo.connect(url=f"https://127.0.0.1:{port}").check()
    with pytest.raises(Misconfigured, match="the public certificate authorities cannot confirm"):
        woo.connect(ca_file=None).check()


def test_over_http_calls_are_signed_and_the_secret_stays_at_home(
    woo: WooRig, sandbox: Shop, make: Make, prefix: str
) -> None:
    with pytest.raises(Misconfigured, match="http://"):
        woo.connect(url=sandbox.http_url)
    shop = woo.connect(url=sandbox.http_url, insecure_http=True)
    assert "over http" in " ".join(shop.check().warnings)
    draft = make.simple(1, title="Käse & Co", tags=(f"{prefix} a,b",))
    result = push(shop, draft)
    assert_true(shop, [draft], result)
    number = result[draft.key].external_id
    assert [one.problem for one in shop.set_stock([StockLevel("v1", str(number), None, 3, 7)])] == [None]
    assert read(shop, number)[f"{prefix}-1"].stock == 3
    with pytest.raises(Misconfigured, match="does not accept the key"):
        woo.connect(url=sandbox.http_url, insecure_http=True, secret="cs_canary_wrong").check()
    heard = json.dumps(woo.calls())
    assert heard and woo.secret not in heard and "canary" not in heard


def test_a_host_allowed_over_http_is_judged_all_the_same(woo: WooRig, sandbox: Shop) -> None:
    with pytest.raises(Misconfigured, match="not a public address"):
        woo.connect(url=sandbox.http_url, insecure_http=True, private_hosts=frozenset()).check()


def test_stock_switched_off_by_the_owner_is_switched_on_and_set_whole(
    woo: WooRig, make: Make, prefix: str
) -> None:
    """Also where the product counts for its variations: the shop then ignores what is set below it."""
    shop = woo.connect()
    mug, shirt = make.simple(1), make.variable(2, sizes="S")
    results = push(shop, mug, shirt)
    number, parent = (str(results[draft.key].external_id) for draft in (mug, shirt))
    below = results[shirt.key].variant_ids["v2S"]
    woo.edit(number, manage_stock=False)
    woo.edit(parent, manage_stock=True, stock_quantity=90)
    woo.rest("PUT", f"products/{parent}/variations/{below}", json={"manage_stock": False})
    held = raw(woo, prefix)
    assert (held[f"{prefix}-1"]["manage_stock"], held[f"{prefix}-2-S"]["manage_stock"]) == (False, "parent")
    levels = [StockLevel("a", number, None, 6, 7), StockLevel("b", below, parent, 4, 0)]
    assert [one.problem for one in shop.set_stock(levels)] == [None, None]
    held = raw(woo, prefix)
    told = {sku: (held[sku]["manage_stock"], held[sku]["stock_quantity"]) for sku in held}
    assert (told[f"{prefix}-1"], told[f"{prefix}-2-S"]) == ((True, 6), (True, 4))


def test_a_variant_counts_as_sent_with_its_stock_only(
    woo: WooRig, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its fields went in, but what the shop shows is not what is wanted: told as done it would be counted on."""
    shop = woo.connect()
    drafts = [make.simple(1), make.variable(2, sizes="SM")]
    first = push(shop, *drafts)
    ours = [known(draft, first[draft.key]) for draft in drafts]
    changed = [
        replace(one, variants=tuple(replace(v, before=v.stock, stock=v.stock + 2) for v in one.variants)) for one in ours
    ]  # fmt: skip
    answers = {"S": "lost", "M": "refused"}

    def set_stock(self: Stock, levels: list[StockLevel]) -> Iterator[PushResult]:
        for level, kind in zip(levels, answers.values() if len(levels) > 1 else ["lost"], strict=True):
            yield PushResult(level.key, level.external_id, problem=kind, unknown=kind == "lost")

    monkeypatch.setattr(Stock, "set", set_stock)
    results = list(shop.push(changed))
    mug = [one for one in results if one.key == drafts[0].key]
    assert [(one.variant_ids, one.problem, one.unknown) for one in mug] == [({}, "lost", True)]
    shirt = [one for one in results if one.key == drafts[1].key]
    assert [one.variant_ids for one in shirt] == [{}, {}]
    assert (shirt[-1].problem, shirt[-1].unknown, shirt[-1].problems) == ("lost", True, {"v2M": "refused"})

    def fails(self: Stock, levels: list[StockLevel]) -> Iterator[PushResult]:
        for level in levels:
            yield PushResult(level.key, level.external_id)
            raise Temporary("The shop is away.")

    monkeypatch.setattr(Stock, "set", fails)
    pushing = shop.push(changed[1:])
    assert next(pushing).variant_ids == {}
    assert next(pushing).variant_ids == {"v2S": first[drafts[1].key].variant_ids["v2S"]}
    with pytest.raises(Temporary, match="away"):
        next(pushing)


def test_stock_costs_one_call_for_a_hundred(woo: WooRig, sandbox: Shop, make: Make) -> None:
    shop = woo.connect()
    drafts = [make.simple(number) for number in range(100)]
    results = push(shop, *drafts)
    woo.tidy("")
    levels = [StockLevel(key, str(one.external_id), None, 5, 7) for key, one in results.items()]
    assert {one.problem for one in shop.set_stock(levels)} == {None}
    assert [(call["method"], call["path"]) for call in woo.calls()] == [
        ("POST", "/wp-json/wc/v3/products/batch")
    ]


def test_the_owners_own_sale_stays_and_ours_ends(woo: WooRig, make: Make, prefix: str) -> None:
    shop = woo.connect()
    draft = make.simple(1, compare_at=make.money("15.00"))
    result = push(shop, draft)[draft.key]
    woo.edit(str(result.external_id), sale_price="11.00")
    assert read(shop, result.external_id)[f"{prefix}-1"].price == make.money("15.00")
    plain = replace(
        known(draft, result), variants=(replace(draft.variants[0], external_id=result.external_id),)
    )
    over = replace(plain, variants=(replace(plain.variants[0], compare_at=None),))
    push(shop, over)
    held = raw(woo, prefix)[f"{prefix}-1"]
    assert (held["regular_price"], held["sale_price"]) == ("12.50", "11.00")
    push(shop, plain)
    push(shop, over)
    held = raw(woo, prefix)[f"{prefix}-1"]
    assert (held["regular_price"], held["sale_price"]) == ("12.50", "")


def test_stray_output_on_reads_names_the_plugin(woo: WooRig, sandbox: Shop) -> None:
    woo.fail("stray", method="GET", path="/data", times=3)
    with pytest.raises(Misconfigured, match="a plugin prints before the answer"):
        woo.connect().check()


def test_a_shop_that_hangs_is_given_up(woo: WooRig, sandbox: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.http.READ_SECONDS", 0.2)
    shop = woo.connect()
    woo.fail("hang", method="GET", path="/products", times=3)
    with pytest.raises(Temporary, match="did not answer within"):
        list(shop.read_back(["10"]))


def test_no_key_in_any_message(woo: WooRig, sandbox: Shop, make: Make) -> None:
    messages = []
    for kind in ("stray", "cut", "drop_after", "php_fatal", "database_down", "maintenance"):
        for method, path in (("GET", "/data"), ("POST", "/products/batch")):
            woo.fail(kind, method=method, path=path, times=3)
            shop = woo.connect(patience=PATIENCE)
            try:
                messages += [str(result) for result in shop.push([make.simple(1)])]
            except EntrepotError as error:
                messages += [str(error), repr(error)]
            sandbox.faults.clear()
    assert len(messages) >= 8
    for secret in (woo.key, woo.secret):
        assert secret not in "\n".join(messages)


def test_many_pictures_are_spread_over_calls(woo: WooRig, sandbox: Shop, make: Make) -> None:
    shop = woo.connect()
    drafts = [
        make.simple(n, images=tuple(f"https://img.test/{make.prefix}{n}{m}.jpg" for m in range(7)))
        for n in range(1, 11)
    ]
    sandbox.requests.clear()
    results = push(shop, *drafts)
    assert {len(result.image_ids) for result in results.values()} == {7}
    sizes = [call["batch"]["create"] for call in sandbox.requests.seen() if call["batch"].get("create")]
    assert sizes == [4, 4, 2]


def test_large_descriptions_are_spread_over_calls(woo: WooRig, sandbox: Shop, make: Make) -> None:
    shop = woo.connect()
    drafts = [make.simple(number, description="x" * 400_000) for number in range(1, 6)]
    results = push(shop, *drafts)
    assert all(result.external_id for result in results.values())
    assert max(call["bytes"] for call in sandbox.requests.seen()) < 1_000_000


def test_a_front_server_with_a_smaller_limit_gets_smaller_calls(
    woo: WooRig, sandbox: Shop, make: Make
) -> None:
    shop = woo.connect()
    woo.fail("status", status=413)
    results = push(shop, *(make.simple(number) for number in range(1, 9)))
    assert all(result.external_id for result in results.values())
    sizes = [call["batch"]["create"] for call in sandbox.requests.seen() if call["batch"].get("create")]
    assert sizes == [8, 4, 4]
