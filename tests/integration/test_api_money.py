"""The REST API of money: exact amounts, every command once by its key, and the files that leave and come."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.console import Console, console
from tests.settling import Settling, settling
from tests.stepping import one


@pytest.fixture
def hub(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settling]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    with settling(database_url, tmp_path, monkeypatch) as made:
        made.twice = False
        yield made


@pytest.fixture
def opened(hub: Settling, database_url: str, tmp_path: Path) -> Iterator[Console]:
    with console(database_url, tmp_path, sign_in=False) as made:
        yield made


def ask(
    opened: Console, method: str, address: str, status: int = 200, key: str | None = None, **more: Any
) -> Any:
    """The JSON of an answer that must have this status."""
    headers = {"Idempotency-Key": key} if key is not None else {}
    answer = opened.api(method, address, headers=headers, **more)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def refused(
    opened: Console, method: str, address: str, status: int, key: str | None = None, **more: Any
) -> tuple[str, str]:
    """Rule and sentence of a refusal with this status."""
    error = ask(opened, method, address, status, key, **more)["error"]
    return error["rule"], error["message"]


def figures(told: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(told[name] for name in ("available", "held", "withdrawing", "owed"))


def test_a_deposit_moves_once_by_its_key(hub: Settling, opened: Console) -> None:
    seller = hub.seller()
    deposit = f"/deposits/{seller}"
    told = ask(opened, "GET", deposit)
    assert (figures(told), told["reference"]) == (("0.00",) * 4, hub.reference(seller))
    top_up, withdraw = f"{deposit}/top-ups", f"{deposit}/withdrawals"
    for address in (top_up, withdraw):
        assert refused(opened, "POST", address, 422, json={"amount": "5"}) == (
            "invalid",
            "Idempotency-Key: Field required.",
        )
    first = ask(opened, "POST", top_up, 201, "T1", json={"amount": "500"})
    assert (first["amount"], first["currency"], first["seller_id"]) == ("500.00", "EUR", seller)
    assert ask(opened, "POST", top_up, 201, "T1", json={"amount": "500.00"}) == first
    gone = ask(opened, "POST", withdraw, 201, "T1", json={"amount": "120.50"})
    assert (gone["payout"], gone["amount"]) == (1, "120.50")
    assert ask(opened, "POST", withdraw, 201, "T1", json={"amount": "120.50"}) == gone
    assert figures(ask(opened, "GET", deposit)) == ("379.50", "0.00", "120.50", "0.00")
    before = hub.hash()
    for address, key, amount, status, rule in (
        (top_up, "T1", "501", 422, "key_reused"),
        (withdraw, "T1", "1", 422, "key_reused"),
        (withdraw, "W2", "379.51", 422, "too_little"),
        (top_up, "T2", "0", 422, "nothing"),
        (top_up, "T2", "-1", 422, "nothing"),
        (top_up, "T2", "1.005", 422, "not_a_number"),
        (top_up, "T2", "1e99", 422, "not_a_number"),
        (top_up, "T2", "1e2", 422, "not_a_number"),
        (top_up, "T2", "1_0", 422, "not_a_number"),
        (top_up, "x" * 81, "1", 422, "key"),
        ("/deposits/99/top-ups", "T2", "1", 404, "not_found"),
        ("/deposits/99/withdrawals", "T2", "1", 404, "not_found"),
    ):
        assert refused(opened, "POST", address, status, key, json={"amount": amount})[0] == rule, (
            address,
            amount,
        )
    assert refused(opened, "POST", top_up, 422, "T2", json={"amount": 5})[0] == "invalid", (
        "an amount is text, never a float"
    )
    assert hub.hash() == before
    for _ in range(2):
        ask(opened, "DELETE", "/withdrawals/1", 204)
    assert [figures(each) for each in ask(opened, "GET", "/deposits")["deposits"]] == [
        ("500.00", "0.00", "0.00", "0.00")
    ]
    assert refused(opened, "GET", "/deposits/99", 404)[0] == "not_found"


def test_a_run_from_its_draft_to_the_banks_word(hub: Settling, opened: Console) -> None:
    seller, supplier = hub.seller(20_000), hub.supplier(shipping=0)
    line = hub.sold(seller, supplier, 3, "10.00")
    hub.refund(line, 1)
    assert ask(opened, "POST", "/settlements/mature", 202) == {"asked": True}
    hub.run()
    told = ask(opened, "POST", "/settlements", 201, json={})
    assert (told["id"], told["state"], told["statements"], told["closing"], told["payout"], told["payouts"]) == (
        1, "draft", 1, "20.00", "20.00", 0,
    )  # fmt: skip
    assert refused(opened, "POST", "/settlements", 422, json={})[0] == "open_run"
    assert refused(opened, "POST", "/settlements/1/approve", 422, json={"by": "Ada"})[0] == "state"
    assert refused(opened, "GET", "/settlements/1/file", 422)[0] == "no_file"
    for _ in range(2):
        assert ask(opened, "POST", "/settlements/1/lock")["state"] == "locked"
    for _ in range(2):
        assert ask(opened, "POST", "/settlements/1/approve", 202, json={"by": "Ada"})["approved_by"] == "Ada"
    hub.run()
    told = ask(opened, "GET", "/settlements/1")
    assert (told["state"], told["transfers"], told["payout_rows"][0]["amount"]) == (
        "exported",
        "20.00",
        "20.00",
    )
    files = [opened.api("GET", "/settlements/1/file") for _ in range(2)]
    assert files[0].headers["content-type"] == "application/xml"
    assert files[0].content == files[1].content == hub.file(1)
    assert hashlib.sha256(files[0].content).hexdigest() == told["file_sha256"]
    assert refused(opened, "POST", "/settlements/1/cancel", 422)[0] == "state"
    hub.bank_takes(1)
    content = hub.statement_file().read_bytes()
    first = ask(opened, "POST", "/bank/statements/file", 202, content=content)
    assert [each["lines"] for each in first["statements"]] == [1]
    assert ask(opened, "POST", "/bank/statements/file", 202, content=content) == first
    hub.run()
    assert ask(opened, "GET", "/bank/lines")["states"] == {"matched": 2}
    assert [each["state"] for each in ask(opened, "GET", "/payouts?run=1")["payouts"]] == ["paid"]
    assert ask(opened, "POST", "/settlements/1/close")["state"] == "closed"
    listed = ask(opened, "GET", "/settlements?limit=1")
    assert ([each["paid"] for each in listed["settlements"]], listed["before"]) == ([1], None)
    proof = ask(opened, "GET", "/proof")
    assert (proof["remainder"], proof["ok"]) == ("0.00", True)
    assert refused(opened, "GET", "/settlements/9", 404)[0] == "not_found"
    assert (
        refused(opened, "POST", "/settlements", 422, json={"cut_off": "2999-01-01T00:00:00"})[0] == "cut_off"
    )
    assert refused(opened, "POST", "/bank/statements/file", 422, content=b"<Document>")[0] != "internal"


def test_a_statement_in_three_forms(hub: Settling, opened: Console) -> None:
    line = hub.sold(hub.seller(10_000), hub.supplier(shipping=0), 2, "10.00")
    hub.refund(line, 1)
    hub.draft()
    told = ask(opened, "GET", "/statements/1")
    assert (told["opening"], told["total"], told["closing"], told["payout"]) == (
        "0.00",
        "10.00",
        "10.00",
        "10.00",
    )
    assert [(row["rule"], row["in"], row["out"], row["balance"]) for row in told["lines"]] == [
        ("mature", "20.00", None, "20.00"), ("refund", None, "10.00", "10.00"),
    ]  # fmt: skip
    entry = ask(opened, "GET", f"/entries/{told['lines'][0]['entry_id']}")
    supplier = told["company_id"]
    assert [(each["source"], each["destination"], each["amount"]) for each in entry["postings"]] == [
        (f"supplier:{supplier}:pending", f"supplier:{supplier}:available", "20.00")
    ]
    sheet = opened.api("GET", "/statements/1/csv")
    assert (sheet.headers["content-type"], sheet.text.count("\r\n")) == ("text/csv; charset=utf-8", 5)
    page = opened.api("GET", "/statements/1/html")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "Closing balance" in page.text and "<style>" in page.text
    for address in ("/statements/9", "/statements/9/csv", "/statements/9/html", "/entries/99"):
        assert refused(opened, "GET", address, 404)[0] == "not_found"


def test_a_payout_that_the_bank_refused_is_the_suppliers_again(hub: Settling, opened: Console) -> None:
    supplier = hub.supplier(shipping=0)
    hub.sold(hub.seller(10_000), supplier)
    hub.approve(hub.draft())
    hub.run()
    for _ in range(2):
        told = ask(opened, "POST", "/payouts/1/reject", json={"reason": "The account is closed."})
        assert (told["state"], told["reason"]) == ("rejected", "The account is closed.")
    assert hub.balances()[f"supplier:{supplier}:available"] == 1000
    assert refused(opened, "POST", "/payouts/9/reject", 404, json={"reason": "x"})[0] == "not_found"


def test_unknown_money_is_allocated_once(hub: Settling, opened: Console) -> None:
    seller = hub.seller()
    hub.bank.topup(5_000, "for the lamps", "Somebody")
    hub.bank_speaks()
    (line,) = ask(opened, "GET", "/bank/lines?state=unallocated")["lines"]
    assert (line["amount"], line["counterparty"], line["kind"]) == ("50.00", "Somebody", "credit")
    address = f"/bank/lines/{line['id']}/allocate"
    assert refused(opened, "POST", address, 422, json={"seller_id": seller})[0] == "invalid"
    first = ask(opened, "POST", address, 201, "A1", json={"seller_id": seller})
    assert ask(opened, "POST", address, 201, "A1", json={"seller_id": seller}) == first
    assert refused(opened, "POST", address, 422, "A2", json={"seller_id": seller})[0] == "state"
    assert figures(ask(opened, "GET", f"/deposits/{seller}")) == ("50.00", "0.00", "0.00", "0.00")
    assert one(hub.db, "SELECT count(*) FROM journal_entry WHERE rule = 'allocate'") == 1
    assert [each["lines"] for each in ask(opened, "GET", "/bank/statements")["statements"]] == [1]


def test_accounts_now_then_and_page_by_page(hub: Settling, opened: Console) -> None:
    seller = hub.seller()
    for cents, key in ((1000, "1"), (500, "2"), (250, "3")):
        hub.top_up(seller, cents, key)
        if key == "1":
            moment = one(hub.db, "SELECT clock_timestamp()")
    name = f"seller:{seller}:deposit"
    now = {row["name"]: row["balance"] for row in ask(opened, "GET", "/accounts")["accounts"]}
    then = {
        row["name"]: row["balance"]
        for row in ask(opened, "GET", "/accounts", params={"at": moment.isoformat()})["accounts"]
    }
    assert ((now[name], now["psp"]), (then[name], then["psp"])) == (("17.50", "17.50"), ("10.00", "10.00"))
    first = ask(opened, "GET", f"/accounts/{name}?limit=2")
    second = ask(opened, "GET", f"/accounts/{name}?limit=2&before={first['before']}")
    assert [row["balance"] for page in (first, second) for row in page["lines"]] == [
        "17.50",
        "15.00",
        "10.00",
    ]
    assert (first["balance"], first["lines"][0]["in"], first["lines"][0]["out"], second["before"]) == (
        "17.50",
        "2.50",
        None,
        None,
    )
    assert refused(opened, "GET", "/accounts/seller:99:deposit", 404)[0] == "not_found"
