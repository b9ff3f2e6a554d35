"""What a buyer wants to know of his data waits for a person, who has the file and 30 days; to be forgotten is done at once."""

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.database import Database
from models.shops import Shop
from pipelines.orders.take_over import take_over
from tests.commands import Shell
from tests.console import Console, console
from tests.orders import Market, market, told
from tests.stepping import one, rows

SECRET = "shh"


@pytest.fixture
def opened(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setenv("ENTREPOT_DATABASE_URL", database_url)
    with console(database_url, tmp_path, shopify_client_secret=SECRET) as made:
        yield made


def call(opened: Console, topic: str, number: str, body: Any, secret: str = SECRET) -> int:
    """Shopify's call to the app about the shop lampen.myshopify.com."""
    raw = json.dumps(body).encode()
    headers = {
        "X-Shopify-Topic": topic, "X-Shopify-Webhook-Id": number, "X-Shopify-Shop-Domain": "lampen.myshopify.com",
        "X-Shopify-Hmac-Sha256": b64encode(hmac.new(secret.encode(), raw, hashlib.sha256).digest()).decode(),
    }  # fmt: skip
    return int(opened.client.post("/hooks/shopify", content=raw, headers=headers).status_code)


def sold(db: Database) -> Market:
    """A Shopify shop with the orders 11 and 12, each with a buyer."""
    of = market(db, 9)
    db.run("UPDATE shop SET channel = 'shopify', url = 'https://lampen.myshopify.com', name = 'Lampen'")
    for number in (11, 12):
        with db.unit_of_work() as uow:
            order = told(of, 2, external_id=f"gid://shopify/Order/{number}", number=f"#{number}")
            assert take_over(uow, uow.session.get_one(Shop, of.shop), order) is not None
    return of


REQUESTS = "SELECT kind, orders, answered_at IS NULL, answered_by FROM privacy_request ORDER BY id"


def test_a_request_is_stored_once_and_only_where_the_app_signed_it(opened: Console) -> None:
    db = opened.db
    sold(db)
    body = {"orders_requested": [11, 99]}
    assert call(opened, "customers/data_request", "w1", body, secret="wrong") == 401
    assert rows(db, REQUESTS) == []
    for _ in range(2):
        assert call(opened, "customers/data_request", "w1", body) == 200
    asked = ["gid://shopify/Order/11", "gid://shopify/Order/99"]
    assert rows(db, REQUESTS) == [("data_request", asked, True, None)]
    assert one(db, "SELECT count(*) FROM order_buyer") == 2  # nobody is forgotten by a question
    assert call(opened, "customers/redact", "w2", {"orders_to_redact": [11]}) == 200
    assert call(opened, "shop/redact", "w3", {}) == 200
    assert rows(db, REQUESTS)[1:] == [
        ("redact", asked[:1], False, "hub"), ("shop_redact", [], False, "hub"),
    ]  # fmt: skip
    assert one(db, "SELECT count(*) FROM order_buyer") == 0
    db.run("UPDATE shop SET url = 'https://other.myshopify.com'")
    assert call(opened, "customers/data_request", "w4", body) == 200
    assert one(db, "SELECT count(*) FROM privacy_request") == 3


def test_by_page(opened: Console) -> None:
    db, of = opened.db, sold(opened.db)
    assert "Nobody has asked" in opened.get("/privacy").text
    assert "A buyer asks" not in opened.get("/").text
    call(opened, "customers/data_request", "w1", {"orders_requested": [11, 99]})
    number = one(db, "SELECT id FROM privacy_request")
    due = one(db, "SELECT to_char(received_at + interval '30 days', 'YYYY-MM-DD') FROM privacy_request")
    for place in ("/", "/privacy", f"/shops/{of.shop}"):
        shown = opened.get(place).text
        assert f"/privacy/{number}" in shown and due in shown, place
    shown = opened.get(f"/privacy/{number}").text
    assert "kept, in the file" in shown and "gid://shopify/Order/99" in shown
    assert "Hafenstraße" not in shown and f"To be answered until {due}" in shown
    db.run("UPDATE privacy_request SET received_at = received_at - interval '31 days'")
    assert "overdue" in opened.get("/privacy").text
    file = opened.get(f"/privacy/{number}/data.json")
    assert file.headers["content-disposition"] == f'attachment; filename="privacy-{number}.json"'
    (order,) = file.json()["orders"]
    assert (order["number"], order["buyer"]["name"]) == (
        "#11",
        one(db, "SELECT address->>'name' FROM order_buyer ORDER BY order_id LIMIT 1"),
    )
    assert (
        opened.post(f"/privacy/{number}/answered").headers["location"]
        == f"/privacy/{number}?said=privacy_answered"
    )
    assert rows(db, REQUESTS)[0][2:] == (False, "operator")
    assert rows(db, "SELECT actor, subject FROM audit_record") == [("operator", f"privacy:{number}")]
    assert opened.post(f"/privacy/{number}/answered").status_code == 422
    assert f"/privacy/{number}" not in opened.get(f"/shops/{of.shop}").text
    assert f"/privacy/{number}" in opened.get("/privacy?state=done").text
    assert "Nothing waits for you here" in opened.get("/privacy?state=open").text
    assert opened.get("/privacy/999").status_code == 404
    opened.client.cookies.clear()
    assert opened.get(f"/privacy/{number}/data.json").status_code == 303  # to the sign-in page


def test_by_api_and_command_line(
    opened: Console, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    db = opened.db
    sold(db)
    shell = Shell(capsys, monkeypatch)
    assert shell.ask("privacy", "list") == {"open": 0, "done": 0, "requests": []}
    call(opened, "customers/data_request", "w1", {"orders_requested": [12]})
    call(opened, "customers/data_request", "w2", {})
    first, second = (number for (number,) in rows(db, "SELECT id FROM privacy_request ORDER BY id"))
    listed = shell.ask("privacy", "list")
    assert [(row["id"], row["kind"], row["shop"]) for row in listed["requests"]] == [
        (first, "data_request", "Lampen"), (second, "data_request", "Lampen"),
    ]  # fmt: skip
    asked, due = (datetime.fromisoformat(listed["requests"][0][name]) for name in ("received_at", "due_at"))
    assert due - asked == timedelta(days=30)
    assert shell.ask("status")["privacy_requests"] == 2
    file = tmp_path / "data.json"
    assert shell.ask("privacy", "export", first, file)["file"] == str(file)
    kept = json.loads(file.read_text())
    address = one(db, "SELECT address FROM order_buyer ORDER BY order_id DESC LIMIT 1")
    assert [(order["number"], order["buyer"]) for order in kept["orders"]] == [("#12", address)]
    assert [(line["ordered"], line["wanted"]) for line in kept["orders"][0]["lines"]] == [(2, 2)]
    assert (kept["orders"][0]["address_given_to"], kept["not_kept"]) == ([], [])
    api = opened.api("GET", f"/privacy/{second}/data").json()
    assert (api["orders"], api["not_kept"]) == ([], [])
    assert shell.ask("privacy", "answered", first)["id"] == first
    assert shell.refuse("privacy", "answered", first)[1].startswith(
        f"Privacy request {first} was answered already"
    )
    assert opened.api("GET", "/privacy?state=open").json()["counts"] == {"open": 1, "done": 1}
    assert opened.api("POST", f"/privacy/{second}/answered").json()["answered_by"] == "operator"
    assert opened.api("GET", "/privacy?state=open").json()["requests"] == []
    assert opened.api("POST", "/privacy/999/answered").status_code == 404
    assert [row["id"] for row in shell.ask("privacy", "list", "--all")["requests"]] == [second, first]
