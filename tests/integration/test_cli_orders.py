"""`entrepot order`, `po`, `ship`, `refund`, `supplier terms` and `company bank`: exact answers, each act once, one clear sentence."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.database import Database
from models.catalogue import Offer, Variant
from models.shops import Shop
from pipelines.routes import ROUTES
from sandbox.shopify.shop import Shop as Sandbox
from tests import builders
from tests.commands import Shell, work_at_once
from tests.orders import ToldShop, market, told
from tests.stepping import one, rows
from tests.trade import Trade

CAPTURE = "settlement.capture.capture"


@pytest.fixture
def trade(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trade]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setenv("ENTREPOT_DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "200")
    database = Database(database_url, ROUTES)
    yield Trade(database)
    database.close()


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(capsys, monkeypatch)


def skus(trade: Trade) -> list[str]:
    return [sku for (sku,) in rows(trade.db, "SELECT sku FROM order_line ORDER BY id")]


def test_orders_are_listed_with_their_lines_and_counted_by_state(trade: Trade, shell: Shell) -> None:
    assert shell.ask("order", "list") == {"states": {}, "orders": []}
    offer = trade.offer(trade.supplier(), stock=2)
    trade.funded((offer, 2))
    waits = trade.order((offer, 1))
    trade.run("orders.reserve.reserve")
    told = shell.ask("order", "list")
    assert told["states"] == {"awaiting_stock": 1, "funded": 1}
    assert [order["id"] for order in told["orders"]] == [waits, waits - 1]
    first = told["orders"][1]
    (shop,) = {order["shop"] for order in told["orders"]}
    assert set(first) == {"id", "shop", "number", "external_id", "standing", "placed_at", "lines"}
    assert first["standing"] == "open"
    (line,) = first["lines"]
    assert {name: line[name] for name in line if name not in ("title", "reason")} == {
        "id": 1, "sku": skus(trade)[0], "supplier": "Norden", "ordered": 2, "wanted": 2, "covered": 2, "shipped": 0,
        "refunded": 0, "state": "funded",
    }  # fmt: skip
    assert [o["id"] for o in shell.ask("order", "list", "--state", "awaiting_stock")["orders"]] == [waits]
    assert [o["id"] for o in shell.ask("order", "list", "--shop", shop, "--limit", 1)["orders"]] == [waits]
    assert f"2 × {skus(trade)[0]} funded" in shell.read("order", "list")
    code, said = shell.refuse("order", "list", "--state", "lost")
    assert (code, said[:30]) == (2, "There is no state 'lost'; ther")
    assert shell.refuse("order", "list", "--shop", "Nowhere")[0] == 2


def test_an_order_shows_its_buyer_money_and_story(trade: Trade, shell: Shell) -> None:
    trade.placed((trade.offer(trade.supplier()), 2))
    told = shell.ask("order", "show", 1)
    assert (told["total"], told["currency"], told["test"]) == ("0.00", "EUR", False)
    assert (told["buyer"]["name"], told["buyer"]["city"]) == ("Ada Byron", "Berlin")
    (po,) = told["purchase_orders"]
    assert (po["reference"], po["state"], po["shipping"]) == ("EP-1", "placed", "4.90")
    assert [(line["line"], line["quantity"], line["open"]) for line in po["lines"]] == [(1, 2, 2)]
    (hold,) = told["holds"]
    # 20.00 goods, 4.90 shipping, 2.00 commission, 0.38 VAT
    assert {part["part"]: part["total"] for part in hold["parts"]} == {
        "goods": "20.00", "shipping": "4.90", "commission": "2.00", "vat": "0.38",
    }  # fmt: skip
    assert (hold["total"], hold["open"], hold["captured"], hold["captured_pieces"]) == (
        "27.28",
        "27.28",
        "0.00",
        0,
    )
    assert [line["what"] for line in told["story"]] == trade.story(1)
    assert told["shipments"] == []
    assert "EP-1" in shell.read("order", "show", "1")
    assert shell.refuse("order", "show", 9)[1].startswith("Order 9 is not there.")


def test_a_purchase_order_is_answered_by_number_or_reference_and_once(trade: Trade, shell: Shell) -> None:
    trade.placed((trade.offer(trade.supplier()), 2))
    trade.placed((trade.offer(trade.supplier("Sueden")), 1))
    told = shell.ask("po", "list")
    assert told["states"] == {"placed": 2}
    assert [po["reference"] for po in told["purchase_orders"]] == ["EP-2", "EP-1"]
    assert [po["cost"] for po in told["purchase_orders"]] == ["10.000000", "20.000000"]
    assert len(shell.ask("po", "list", "--supplier", "Sueden", "--state", "placed")["purchase_orders"]) == 1
    for _ in range(2):
        told = shell.ask("po", "confirm", "ep-1", "--number", "N-5")
        assert (told["id"], told["state"], told["external_number"]) == (1, "accepted", "N-5")
    assert trade.story(1).count("confirmed") == 1
    assert shell.ask("po", "reject", 2, "--reason", "Sold out.")["state"] == "rejected"
    assert trade.lines(2) == [("rejected", 1, 0, 0)]
    assert shell.refuse("po", "confirm", "EP-2")[1] == (
        "Purchase order EP-2 is rejected: it cannot be confirmed any more."
    )
    assert shell.refuse("po", "cancelled", "EP-1")[1].startswith("Nobody asked to cancel Purchase order EP-1")
    assert shell.refuse("po", "show", "EP-77")[1].startswith("Purchase order EP-77 is not there.")
    assert shell.refuse("po", "show", "77")[0] == 2
    assert shell.refuse("po", "list", "--state", "lost")[0] == 2


def test_a_cancellation_is_taken_or_refused(trade: Trade, shell: Shell) -> None:
    for number in (1, 2):
        trade.placed((trade.offer(trade.supplier()), 2))
        shell.ask("po", "confirm", number)
        trade.want(number, 0)
        assert trade.po(number) == "cancel_requested"
    assert shell.ask("po", "cancelled", 1)["state"] == "cancelled"
    assert shell.ask("po", "refuse-cancel", 2, "--reason", "It is packed.")["state"] == "accepted"
    assert (trade.lines(1), trade.lines(2)) == ([("cancelled", 0, 0, 0)], [("accepted", 0, 2, 0)])


def test_what_is_shipped_in_parts_is_shipped_once_by_its_key(trade: Trade, shell: Shell) -> None:
    supplier = trade.supplier()
    trade.placed((trade.offer(supplier), 3), (trade.offer(supplier), 1))
    parcel = (
        "ship",
        "add",
        "EP-1",
        "--key",
        "P1",
        "--line",
        "1=2",
        "--carrier",
        "DHL",
        "--number",
        "00340",
        "--url",
        "https://t.example/1",
    )
    for _ in range(2):
        told = shell.ask(*parcel)
        assert (told["id"], told["carrier"], told["number"], told["url"]) == (
            1,
            "DHL",
            "00340",
            "https://t.example/1",
        )
        assert told["lines"] == [{"line": 1, "sku": skus(trade)[0], "quantity": 2}]
    assert shell.refuse(*parcel[:6], "1=3")[1].startswith("Shipment P1 of EP-1 was reported with other lines")
    assert shell.refuse("ship", "add", "EP-1", "--key", "P2", "--line", "1=2")[1].endswith(
        "has 1 open, not 2."
    )
    for wrong in ("1", "1=", "a=1", "1=-1", "=", "1=99999999999"):
        assert shell.refuse("ship", "add", "EP-1", "--key", "P2", "--line", wrong)[1].startswith(
            f"--line '{wrong}'"
        )
    assert trade.lines(1) == [("accepted", 3, 3, 2), ("accepted", 1, 1, 0)]
    assert [line["quantity"] for line in shell.ask("ship", "add", 1, "--key", "P2")["lines"]] == [1, 1]
    assert trade.po(1) == "shipped"
    told = shell.ask("ship", "list", "--order", 1)
    assert [(each["key"], each["reported_at"]) for each in told["shipments"]] == [("P2", None), ("P1", None)]
    assert "00340" in shell.read("ship", "list")
    assert "EP-1" in shell.read("po", "list")
    assert shell.ask("ship", "list", "--order", 2) == {"shipments": []}


def test_a_refund_gives_back_what_was_shipped_once_and_leaves_what_is_wanted(
    trade: Trade, shell: Shell
) -> None:
    trade.placed((trade.offer(trade.supplier()), 2))
    assert shell.refuse("refund", "add", 1, 1, "--key", "R1") == (
        2, f"Line 1 ({skus(trade)[0]}) has 0 pieces that were shipped and not refunded, not 1.",
    )  # fmt: skip
    shell.ask("ship", "add", 1, "--key", "P1")
    code, said = shell.refuse("refund", "add", 1, 1, "--key", "R1")
    assert (code, said.endswith("is not captured yet; repeat it in a moment.")) == (1, True)
    trade.run(CAPTURE)
    assert trade.money() == (7272, 0)
    for again in (False, True):
        told = shell.ask("refund", "add", 1, 1, "--key", "R1")
        # half of 20.00 goods, 4.90 shipping, 2.00 commission and 0.38 VAT
        assert (told["amount"], told["currency"], told["again"]) == ("13.64", "EUR", again)
        assert trade.money() == (8636, 0)
    assert rows(trade.db, "SELECT ordered, wanted, shipped, refunded, state FROM order_line") == [
        (2, 2, 2, 1, "shipped")
    ]
    assert trade.story(1).count("refunded") == 1
    assert trade.waiting("orders.resume.resume") == 1
    assert shell.refuse("refund", "add", 1, 2, "--key", "R1")[0] == 2
    assert shell.refuse("refund", "add", 1, 2, "--key", "R2")[1].endswith(
        "has 1 pieces that were shipped and not refunded, not 2."
    )
    shell.ask("refund", "add", 1, 1, "--key", "R2")
    assert trade.money() == (10_000, 0)
    assert one(trade.db, "SELECT state FROM order_line") == "refunded"
    (second, first) = shell.ask("refund", "list")["refunds"]
    assert (first["line"], first["order"], first["quantity"], first["amount"]) == (1, 1, 1, "13.64")
    assert second["key"] == "take_back:R2"
    for wrong in ("", "x" * 81, "schl\u00fcssel"):
        assert shell.refuse("refund", "add", 1, 1, "--key", wrong)[1].startswith("Give the command a key")
    trade.want(1, 0)  # the shop tells of the same pieces later: they are not paid back once more
    assert (trade.money(), one(trade.db, "SELECT refunded FROM order_line")) == ((10_000, 0), 2)


def test_terms_and_bank_accounts_are_shown_and_changed(trade: Trade, shell: Shell) -> None:
    supplier = trade.supplier()
    code = one(trade.db, "SELECT code FROM company WHERE id = %s", supplier)
    told = shell.ask("supplier", "terms", code)
    assert told == {
        "code": code, "supplier": supplier, "commission_percent": "10.00", "shipping": "4.90", "transport": "portal", "url": None,
        "version": 1, "currency": "EUR",
    }  # fmt: skip
    told = shell.ask("supplier", "terms", code, "--commission", "12.5", "--shipping", "0")
    assert (told["commission_percent"], told["shipping"], told["version"]) == ("12.50", "0.00", 2)
    told = shell.ask(
        "supplier", "terms", code, "--transport", "api", "--url", "https://o.example", "--key", "secret-key"
    )
    assert (told["transport"], told["url"], told["version"]) == ("api", "https://o.example", 2)
    assert "secret-key" not in str(told)
    assert b"secret-key" not in bytes(one(trade.db, "SELECT credentials FROM supplier_terms"))
    for wrong, sentence in (
        (("--commission", "101"), "A commission is 0 to 100 per cent"),
        (("--commission", "much"), "'much' is no number of per cent"),
        (("--shipping", "1.005"), "'1.005' has more than the 2 decimal places of EUR."),
        (("--shipping", "-1"), "Shipping cannot be less than nothing."),
        (("--transport", "pigeon"), "There is no way 'pigeon'"),
        (("--key", "k", "--ca-file", "/nowhere.pem"), "The certificate file /nowhere.pem is not"),
    ):
        assert shell.refuse("supplier", "terms", code, *wrong)[1].startswith(sentence)
    assert shell.refuse("company", "bank", code)[1].startswith("The bank account of Norden is not there.")
    account = (
        "--holder",
        "Norden GmbH",
        "--iban",
        "DE89 3704 0044 0532 0130 00",
        "--town",
        "Hamburg",
        "--country",
        "de",
    )
    for _ in range(2):
        told = shell.ask("company", "bank", code, *account)
    assert (told["iban"], told["country"], told["holder"]) == ("DE89370400440532013000", "DE", "Norden GmbH")
    assert shell.ask("company", "bank", "Norden") == told
    assert (
        shell.refuse("company", "bank", code, *account[:2])[1]
        == "An account needs --iban, --town, --country too."
    )
    assert shell.refuse("company", "bank", code, *account[:3], "DE00", *account[4:])[1].startswith(
        "This is no IBAN"
    )
    assert shell.refuse("company", "bank", "1", *account)[0] == 2, "the hub's own account is a setting"


def test_a_file_goes_out_and_comes_back_with_a_verdict_for_each_row(
    trade: Trade, shell: Shell, tmp_path: Path
) -> None:
    trade.placed((trade.offer(trade.supplier()), 2))
    trade.placed((trade.offer(trade.supplier("Sueden")), 1))
    out, own = tmp_path / "all.csv", tmp_path / "own.csv"
    assert shell.ask("po", "export", "--out", out) == {"file": str(out), "rows": 2}
    assert shell.ask("po", "export", "--out", own, "--supplier", "Sueden") == {"file": str(own), "rows": 1}
    with out.open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    assert [(row["reference"], row["line"], row["quantity"], row["ship_city"]) for row in table] == [
        ("EP-1", "1", "2", "Berlin"), ("EP-2", "2", "1", "Berlin"),
    ]  # fmt: skip
    back = tmp_path / "back.csv"
    back.write_text(
        "reference,line,confirmed,shipped,tracking\nEP-1,1,yes,1,T1\nEP-2,,yes,,\nEP-9,,yes,,\nEP-2,,maybe,,\n"
    )
    told = shell.ask("po", "import", back)
    assert told["verdicts"] == {"refused": 2, "taken": 2}
    assert [(row["row"], row["reference"], row["verdict"]) for row in told["rows"]] == [
        (2, "EP-1", "taken"), (3, "EP-2", "taken"), (4, "EP-9", "refused"), (5, "EP-2", "refused"),
    ]  # fmt: skip
    assert (trade.po(1), trade.po(2), trade.lines(1)) == ("accepted", "accepted", [("accepted", 2, 2, 1)])
    assert shell.ask("po", "import", back)["verdicts"] == {"refused": 2, "unchanged": 2}
    assert shell.ask("po", "import", back, "--supplier", "Sueden")["verdicts"] == {
        "refused": 3,
        "unchanged": 1,
    }
    assert one(trade.db, "SELECT count(*) FROM shipment") == 1
    back.write_text("nothing,of,it\n")
    assert shell.refuse("po", "import", back)[1].startswith("The file needs a column `reference`")
    assert shell.refuse("po", "export", "--out", tmp_path)[1].startswith(f"{tmp_path} cannot be written")


def test_why_a_hold_and_a_fee_are_what_they_are(trade: Trade, shell: Shell) -> None:
    trade.placed((trade.offer(trade.supplier()), 2))
    told = shell.ask("why", "hold", 1)
    assert (told["figures"]["held"], told["figures"]["open"], told["currency"]) == ("27.28", "27.28", "EUR")
    assert "goods 20.00, shipping 4.90, commission 2.00 (10 % of the goods)" in told["sentences"][0]
    assert "10 % of goods for 20.00 EUR: 2.00 EUR" in shell.ask("why", "fee", 1)["sentences"][0]
    assert shell.refuse("why", "fee", 9)[1] == "Order line 9 has no hold: nothing was set aside for it yet."


def test_why_a_price_is_what_it_is(trade: Trade, shell: Shell) -> None:
    offer_id = trade.offer(trade.supplier(), cost="10.00")
    with trade.db.unit_of_work() as uow:
        offer = uow.session.get_one(Offer, offer_id)
        shop = uow.session.get_one(Shop, trade.shop_id)
        made = builders.listing(uow.session, shop, offer)
        sku = uow.session.get_one(Variant, made.variant_id).sku
        made.why = {
            "cost": "10",
            "currency": "EUR",
            "margin_percent": "50",
            "selection": 1,
            "offer": offer_id,
        }
        made.wanted = {"title": "Lampe", "price": "15.00", "currency": "EUR", "stock": 1}
        name = shop.name
    told = shell.ask("why", "price", name, sku.lower())
    assert (told["sku"], told["price"], told["cost"], told["margin_percent"], told["supplier"]) == (
        sku, "15.00", "10", "50", "Norden",
    )  # fmt: skip
    assert told["sentences"][0].startswith("Norden asks 10 EUR (row ")
    assert told["sentences"][1:] == [
        "The seller's selection 1 puts 50 % on it.", "Rounded half-up once, the price is 15.00 EUR.",
    ]  # fmt: skip
    assert shell.refuse("why", "price", name, "NONE")[1].startswith(f"NONE in shop {name} is not there.")


def test_a_shop_is_asked_for_its_orders_and_the_command_waits(
    trade: Trade, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    of, shop = market(trade.db, 0), ToldShop()  # nothing to sell: no stock moves, no push starts
    shop.holds(told(of, 2), told(of, 1, external_id="1002", minutes=1))
    monkeypatch.setattr("pipelines.opening.SHOPS", {"woocommerce": shop})
    trade.db.run("UPDATE shop SET live_since = '2026-11-01'")
    work_at_once(monkeypatch, "orders")
    for _ in range(2):
        answer = shell.ask("order", "pull", of.shop)
        assert (answer["shop"], answer["problem"], sum(answer["states"].values())) == (of.shop, None, 2)
    assert [each[0] for each in shop.asked].count("orders_since") == 2
    assert [row["external_id"] for row in shell.ask("order", "list", "--shop", of.shop)["orders"]] == [
        "1002",
        "1001",
    ]
    assert shell.refuse("order", "pull", "Nowhere")[1].startswith("There is no shop 'Nowhere'.")


def test_a_shopify_shop_is_connected_with_its_token_and_secret(
    trade: Trade, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTREPOT_PRIVATE_HOSTS", "127.0.0.1")
    with Sandbox(tmp_path / "shopify") as server:
        is_ = server.description()
        add = (
            "shop",
            "add",
            trade.seller_id,
            "Mode",
            "--channel",
            "shopify",
            "--url",
            is_["url"],
            "--ca-file",
            is_["ca_file"],
        )
        told_ = shell.ask(*add, "--key", is_["access_token"], "--secret", is_["client_secret"])
        assert (told_["channel"], told_["currency"], told_["problem"]) == ("shopify", "EUR", None)
        assert is_["access_token"] not in str(told_)
        code, said = shell.refuse(*add, "--key", "wrong", "--secret", is_["client_secret"])
        assert (code, "token" in said) == (2, True)
    assert rows(trade.db, "SELECT name FROM shop WHERE channel = 'shopify'") == [("Mode",)]
