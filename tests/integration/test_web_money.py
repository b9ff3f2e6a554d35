"""The console's pages of money, settlement and the bank: exact figures, and each form moves money once."""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.console import Console, console, token_in
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
    with console(database_url, tmp_path) as made:
        yield made


def shown(opened: Console, address: str) -> str:
    """What a page says, as one line of text."""
    answer = opened.get(address)
    assert answer.status_code == 200, answer.text
    text = answer.text[answer.text.index("<main") : answer.text.index("</main>")]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def keys(opened: Console, address: str) -> list[str]:
    """The idempotency keys that a page gives to its forms."""
    return re.findall(r'name="key" value="([^"]+)"', opened.get(address).text)


def sent(opened: Console, content: bytes) -> Any:
    """The bank's file by the form."""
    token = token_in(opened.get("/money/bank").text)
    return opened.client.post("/money/bank/file", data={"csrf": token}, files={"file": ("bank.xml", content)})


def test_a_deposit_is_paid_in_and_taken_out_once_by_the_forms_key(hub: Settling, opened: Console) -> None:
    seller = hub.seller()
    address = f"/money/deposits/{seller}"
    assert hub.reference(seller) in shown(opened, address)
    paying, taking = keys(opened, address)
    assert paying != taking and keys(opened, address)[0] != paying
    for _ in range(2):
        paid = opened.post(f"{address}/top-up", amount=" 1250,50 ", key=paying)
        assert paid.headers["location"] == f"{address}?said=topped_up"
    for _ in range(2):
        taken = opened.post(f"{address}/withdraw", amount="250.50", key=taking)
        assert taken.headers["location"] == f"{address}?said=withdrawn"
    page = shown(opened, address)
    assert "Available 1,000.00 EUR" in page and "250.50 EUR on its way back to him" in page
    before = hub.hash()
    for act, amount, key, sentence in (
        ("top-up", "1", paying, "key"),
        ("withdraw", "1000.01", "w2", "does not cover 1000.01 EUR"),
        ("top-up", "0", "t2", "is nothing to top up"),
        ("top-up", "-5", "t2", "is nothing to top up"),
        ("top-up", "", "t2", "is not an amount of money"),
        ("top-up", "1.250", "t2", "is not clear"),
        ("top-up", "1,250", "t2", "is not clear"),
        ("top-up", "1.250,50", "t2", "is not"),
        ("top-up", "5", "", "key"),
    ):
        refused = opened.post(f"{address}/{act}", amount=amount, key=key)
        assert refused.status_code == 422, (act, amount)
        assert sentence in html.unescape(refused.text), (act, amount)
    assert opened.client.post(f"{address}/top-up", data={"amount": "5", "key": "t3"}).status_code == 403
    assert opened.post("/money/deposits/99/top-up", amount="5", key="t3").status_code == 404
    assert hub.hash() == before
    for _ in range(2):
        assert opened.post(f"{address}/withdrawals/1/cancel").status_code == 303
    assert "Available 1,250.50 EUR" in shown(opened, address)
    assert opened.post(f"/money/deposits/{hub.seller()}/withdrawals/1/cancel").status_code == 404


def test_money_at_a_glance_and_an_account_like_a_bank_statement(hub: Settling, opened: Console) -> None:
    seller, supplier = hub.seller(20_000), hub.supplier(shipping=0)
    line = hub.sold(seller, supplier, 3, "10.00")
    hub.refund(line, 1)
    page = shown(opened, "/money")
    assert "Sellers' deposits 177.62 EUR 0.00 EUR held for orders" in page
    assert "Owed to suppliers 20.00 EUR 20.00 EUR may be paid now" in page
    assert "Our commission 2.00 EUR and 0.38 EUR VAT on it" in page
    assert "At the bank 200.00 EUR" in page
    names = f"supplier:{supplier}:available"
    account = shown(opened, f"/money/accounts/{names}")
    assert "Balance 20.00 EUR 2 lines, amounts in EUR" in account
    assert f"Refunded, order line {line}: goods {names} → seller:{seller}:deposit goods 10.00 EUR" in account
    assert re.search(rf"Matured, order line {line}.*entry \d+ 30\.00 30\.00$", account)
    assert "10.00 20.00 " in account  # out, and the balance after it
    bank = shown(opened, "/money/accounts/bank")
    assert "Top-up" in bank and "bank line 1" in bank and bank.endswith("200.00 200.00")
    assert "Bank bank what we have 1 200.00 EUR" in shown(opened, "/money/accounts")
    entry = one(hub.db, "SELECT id FROM journal_entry WHERE rule = 'capture'")
    told = shown(opened, f"/money/entries/{entry}")
    assert "Shipped, order line" in told and "30.00 EUR" in told
    assert "Proof proved" in shown(opened, "/money/proof") and "Left over 0.00 EUR" in shown(
        opened, "/money/proof"
    )
    for address in (
        "/money/accounts/nobody",
        "/money/accounts/seller:99:deposit",
        "/money/entries/999",
        "/money/deposits/99",
    ):
        assert opened.get(address).status_code == 404, address


def test_an_account_of_many_lines_pages_without_a_gap(hub: Settling, opened: Console) -> None:
    seller = hub.seller()
    for number in range(120):
        hub.top_up(seller, number + 1, f"t{number}")
    address, found, pages = f"/money/accounts/seller:{seller}:deposit", [], 0
    while address:
        text = opened.get(address).text
        found += re.findall(r'<td class="num in" data-label="In">([\d.]+)</td>', text)
        following = re.search(r'rel="next" href="([^"]+)"', text)
        address, pages = (following[1].replace("&amp;", "&") if following else ""), pages + 1
    assert (found, pages) == ([f"{cents / 100:.2f}" for cents in range(120, 0, -1)], 3)


def test_the_proof_says_what_is_broken(hub: Settling, opened: Console) -> None:
    hub.seller(20_000)
    with hub.db.unit_of_work() as uow:
        uow.cursor().execute("UPDATE bank_statement SET closing_minor = closing_minor + 1")
    page = shown(opened, "/money/proof")
    assert "Proof broken" in page and "Stop paying out." in page
    assert "ledger broken" in page and "ledger proved" not in page


def test_a_run_from_its_draft_to_the_banks_word(hub: Settling, opened: Console) -> None:
    seller, supplier = hub.seller(20_000), hub.supplier(shipping=0)
    hub.sold(seller, supplier, 3, "10.00")
    assert "No run yet" in shown(opened, "/money/settlements")
    assert "Next settlement 30.00 EUR to be paid" in shown(opened, "/")
    assert opened.post("/money/settlements").headers["location"] == "/money/settlements/1?said=drafted"
    assert opened.post("/money/settlements").status_code == 422
    run = "/money/settlements/1"
    assert "Settlement run 1 waits to be locked" in shown(opened, "/")
    page = shown(opened, run)
    assert "Run 1 draft Give it up Lock it" in page
    assert "To be paid 30.00 EUR 0.00 EUR carries over" in page
    assert "0.00 EUR → 30.00 EUR pays 30.00 EUR To print CSV" in page
    assert f"supplier:{supplier}:pending → supplier:{supplier}:available" in page
    early = opened.post(f"{run}/approve")
    assert (early.status_code, hub.state(1)) == (422, "draft")
    assert opened.get(f"{run}/payments.xml").status_code == 422
    for act, told in (("lock", "locked"), ("lock", "locked"), ("approve", "let_pay"), ("approve", "let_pay")):
        assert opened.post(f"{run}/{act}").headers["location"] == f"{run}?said={told}"
    hub.run()
    assert one(hub.db, "SELECT approved_by FROM settlement_run") == "operator"
    files = [opened.get(f"{run}/payments.xml") for _ in range(2)]
    assert files[0].content == files[1].content == hub.file(1)
    assert files[0].headers["content-disposition"] == 'attachment; filename="payments-run-1.xml"'
    assert "at the bank" in shown(opened, run)
    assert (opened.post(f"{run}/cancel").status_code, opened.post(f"{run}/nonsense").status_code) == (
        422,
        404,
    )
    paper = opened.get("/money/statements/1").text
    assert "Closing balance" in paper and "30.00 EUR" in paper and "<nav" not in paper
    csv = opened.get("/money/statements/1/statement.csv")
    assert csv.content.decode("utf-8-sig").splitlines()[-1] == ",Closing balance,,,,,,30.00,"
    hub.bank_takes(1)
    content = hub.statement_file().read_bytes()
    for _ in range(2):
        assert sent(opened, content).headers["location"] == "/money/bank?said=stated"
    hub.run()
    assert [line[2] for line in hub.lines()] == ["matched", "matched"]
    assert "Transfers 1 of 1 paid none came back" in shown(opened, run)
    assert "−30.00 EUR matched" in shown(opened, "/money/bank")
    assert opened.post(f"{run}/close").headers["location"] == f"{run}?said=closed"
    assert "Proof proved" in shown(opened, "/money/proof")


def test_a_run_is_given_up_and_its_lines_wait_for_the_next(hub: Settling, opened: Console) -> None:
    hub.sold(hub.seller(20_000), hub.supplier(shipping=0))
    opened.post("/money/settlements")
    for _ in range(2):
        assert opened.post("/money/settlements/1/cancel").headers["location"].endswith("said=run_cancelled")
    assert "The run was given up" in shown(opened, "/money/settlements/1")
    opened.post("/money/settlements")
    assert "pays 10.00 EUR" in shown(opened, "/money/settlements/2")
    assert opened.post("/money/settlements/mature").status_code == 303


def test_unknown_money_is_given_to_a_seller_once(hub: Settling, opened: Console) -> None:
    seller, other = hub.seller(), hub.seller()
    hub.bank.topup(12_000, "Rechnung 4711", "<b>Sommer</b> & Söhne")
    hub.bank_speaks()
    text = opened.get("/money/bank").text
    assert "&lt;b&gt;Sommer&lt;/b&gt; &amp; Söhne" in text
    page = shown(opened, "/money/bank")
    assert "All 1 unallocated 1" in page and "120.00 EUR unallocated" in page
    assert "Whose money is it?" in shown(opened, "/")
    assert opened.post("/money/bank/lines/1/allocate").status_code == 422
    for _ in range(2):
        answer = opened.post("/money/bank/lines/1/allocate", seller=str(seller))
        assert answer.headers["location"] == "/money/bank?said=allocated"
    before = hub.hash()
    assert opened.post("/money/bank/lines/1/allocate", seller=str(other)).status_code == 422
    assert opened.post("/money/bank/lines/9/allocate", seller=str(seller)).status_code == 404
    assert hub.hash() == before
    assert "Available 120.00 EUR" in shown(opened, f"/money/deposits/{seller}")
    assert "Available 0.00 EUR" in shown(opened, f"/money/deposits/{other}")


@pytest.mark.parametrize("content", [b"", b"<html></html>", b"%PDF-1.4", b"<Document/>"])
def test_a_file_that_is_no_bank_statement_is_refused_in_one_sentence(
    hub: Settling, opened: Console, content: bytes
) -> None:
    answer = sent(opened, content)
    assert answer.status_code == 422
    assert "Nothing was changed." in answer.text
    assert one(hub.db, "SELECT count(*) FROM bank_statement") == 0


@pytest.mark.parametrize(
    "address",
    [
        "/orders",
        "/purchase-orders",
        "/money",
        "/money/settlements",
        "/money/bank",
        "/money/accounts",
        "/money/proof",
    ],
)
def test_an_empty_hub_says_what_belongs_here(opened: Console, address: str) -> None:
    words = {
        "/orders": "No order has come yet", "/purchase-orders": "Nothing was ordered at a supplier yet", "/money": "No seller has a deposit",
        "/money/settlements": "No run yet", "/money/bank": "No bank statement was taken in", "/money/accounts": "No money has moved yet",
        "/money/proof": "Left over 0.00",
    }  # fmt: skip
    assert words[address] in shown(opened, address)
    opened.client.cookies.clear()
    assert opened.get(address).headers["location"].startswith("/login")
