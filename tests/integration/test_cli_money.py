"""`entrepot deposit`, `settle`, `payout`, `bank`, `account`, `proof`, `why` and `status`: to the cent, once each, one clear sentence."""

import csv
import hashlib
import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cli.__main__ import main
from core.clock import now
from tests.commands import Shell, work_at_once
from tests.settling import Settling, settling
from tests.stepping import one


@pytest.fixture
def hub(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settling]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    monkeypatch.setenv("ENTREPOT_DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "200")
    with settling(database_url, tmp_path, monkeypatch) as made:
        made.twice = False
        yield made


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    work_at_once(monkeypatch, "settlement")
    return Shell(capsys, monkeypatch)


def figures(told: dict[str, object]) -> tuple[object, ...]:
    return tuple(told[name] for name in ("available", "held", "withdrawing", "owed"))


def test_a_deposit_is_topped_up_and_withdrawn_once_by_its_key(hub: Settling, shell: Shell) -> None:
    seller = hub.seller()
    code = one(hub.db, "SELECT code FROM company WHERE id = %s", seller)
    told = shell.ask("deposit", "show", code)
    assert (figures(told), told["reference"], told["lines_waiting"]) == (
        ("0.00", "0.00", "0.00", "0.00"), hub.reference(seller), 0,
    )  # fmt: skip
    for _ in range(2):
        told = shell.ask("deposit", "top-up", code, "500", "--key", "T1")
        assert (told["entry"], figures(told)) == (1, ("500.00", "0.00", "0.00", "0.00"))
    for _ in range(2):
        told = shell.ask("deposit", "withdraw", seller, "120.50", "--key", "W1")
        assert (told["payout"], told["state"], figures(told)) == (
            1,
            "asked",
            ("379.50", "0.00", "120.50", "0.00"),
        )
    assert one(hub.db, "SELECT count(*) FROM journal_entry") == 2
    assert [figures(row) for row in shell.ask("deposit", "list")["deposits"]] == [
        ("379.50", "0.00", "120.50", "0.00")
    ]
    before = hub.hash()
    for words, code_, sentence in (
        (("top-up", code, "501", "--key", "T1"), 2, "The key top_up:T1"),
        (("withdraw", code, "1", "--key", "W1"), 2, "The key withdraw:W1 was used for another withdrawal"),
        (
            ("withdraw", code, "379.51", "--key", "W2"),
            2,
            f"The free deposit of seller {seller} is 379.50 EUR",
        ),
        (("top-up", code, "0", "--key", "T2"), 2, "0.00 EUR is nothing to top up"),
        (("top-up", code, "1.005", "--key", "T2"), 2, "'1.005' has more than the 2 decimal places of EUR."),
        (
            ("top-up", code, "1,50", "--key", "T2"),
            2,
            "'1,50' is not an amount of money; write it like 12.50.",
        ),
        (("top-up", code, "1e15", "--key", "T2"), 2, "'1e15' is not an amount of money"),
        (("top-up", code, "NaN", "--key", "T2"), 2, "'NaN' is not an amount of money"),
        (("top-up", code, "5", "--key", " "), 2, "Give the command a key of 1 to 80 plain characters"),
        (("top-up", "NOBODY", "5", "--key", "T2"), 2, "There is no seller 'NOBODY'."),
    ):
        given, said = shell.refuse("deposit", *words)
        assert (given, said[: len(sentence)]) == (code_, sentence)
    assert hub.hash() == before

    for _ in range(2):
        told = shell.ask("deposit", "cancel", 1)
        assert (told["state"], figures(told)) == ("cancelled", ("500.00", "0.00", "0.00", "0.00"))
    assert shell.refuse("deposit", "cancel", 9)[1].startswith("Withdrawal 9 is not there.")


def test_a_payout_that_the_bank_refused_is_the_suppliers_again(hub: Settling, shell: Shell) -> None:
    supplier = hub.supplier(shipping=0)
    hub.sold(hub.seller(10_000), supplier)
    hub.approve(hub.draft())
    hub.run()
    for _ in range(2):
        told = shell.ask("payout", "reject", 1, "--reason", "The account is closed.")
        assert (told["state"], told["amount"], told["reason"]) == (
            "rejected",
            "10.00",
            "The account is closed.",
        )
    assert hub.balances()[f"supplier:{supplier}:available"] == 1000
    assert shell.refuse("payout", "reject", 9, "--reason", "x")[1].startswith("Payout 9 is not there.")


def test_a_run_is_drafted_locked_approved_paid_and_closed(
    hub: Settling, shell: Shell, tmp_path: Path
) -> None:
    seller, supplier = hub.seller(20_000), hub.supplier(shipping=0)
    hub.shipped(seller, supplier, 3, "10.00")
    hub.shipped(seller, supplier, 1, "5.55", days=1)
    hub.run()
    assert shell.ask("settle", "mature") == {"matured": 1, "pending": 1}
    told = shell.ask("settle", "draft")
    assert (told["id"], told["state"], told["statement_count"], told["payout_count"]) == (1, "draft", 1, 0)
    assert not [name for name in told if name.endswith("_rows")]
    (statement,) = told["statements"]
    assert (statement["opening"], statement["total"], statement["closing"], statement["payout"]) == (
        "0.00", "30.00", "30.00", "30.00",
    )  # fmt: skip
    assert shell.refuse("settle", "draft")[0] == 2
    assert shell.refuse("settle", "approve", 1)[0] == 2, "a draft is locked first"
    assert shell.refuse("payout", "file", 1, "--out", tmp_path / "p.xml")[1].endswith("approve it first.")
    for _ in range(2):
        assert shell.ask("settle", "lock", 1)["state"] == "locked"
    for told in (shell.ask("settle", "approve", 1, "--by", "Ada"), shell.ask("settle", "show", 1)):
        assert (told["state"], told["approved_by"], told["payout_count"], told["payouts"][0]["amount"]) == (
            "exported", "Ada", 1, "30.00",
        )  # fmt: skip
    files = [tmp_path / "1.xml", tmp_path / "2.xml"]
    sha256 = [shell.ask("payout", "file", 1, "--out", file)["sha256"] for file in files]
    assert files[0].read_bytes() == files[1].read_bytes() == hub.file(1)
    assert set(sha256) == {hashlib.sha256(hub.file(1)).hexdigest()}
    assert shell.refuse("payout", "file", 1, "--out", tmp_path)[1].startswith(f"{tmp_path} cannot be written")
    assert shell.refuse("settle", "cancel", 1)[0] == 2
    assert shell.refuse("settle", "close", 1)[1].startswith("Run 1 waits for the bank's word on 1 payouts")
    hub.bank_takes(1)
    told = shell.ask("bank", "import", hub.statement_file())
    assert (told["states"], [line["amount"] for line in told["lines"]]) == ({"matched": 1}, ["30.00"])
    assert [each["state"] for each in shell.ask("payout", "list", "--run", 1)["payouts"]] == ["paid"]
    assert shell.ask("settle", "close", 1)["state"] == "closed"
    (listed,) = shell.ask("settle", "list")["runs"]
    assert (listed["state"], listed["payout"], listed["payouts"], listed["paid"], listed["returned"]) == (
        "closed", "30.00", 1, 1, 0,
    )  # fmt: skip
    for words in (
        ("settle", "list"),
        ("settle", "show", "1"),
        ("payout", "list"),
        ("bank", "list"),
        ("settle", "statement", "1"),
    ):
        assert "30.00" in shell.read(*words), words
    proof = shell.ask("proof")
    assert (
        proof["remainder"],
        proof["ok"],
        [check["name"] for check in proof["checks"] if not check["ok"]],
    ) == ("0.00", True, [])
    status = shell.ask("status")
    assert {name: status[name] for name in ("statements", "payouts", "returned", "ledger_remainder")} == {
        "statements": 1, "payouts": 1, "returned": 0, "ledger_remainder": "0.00",
    }  # fmt: skip
    assert shell.refuse("settle", "show", 9)[1].startswith("Settlement run 9 is not there.")
    tomorrow = (now() + timedelta(days=1)).date()
    assert "lies ahead" in shell.refuse("settle", "draft", "--cut-off", tomorrow)[1]
    assert shell.refuse("settle", "draft", "--cut-off", "soon")[1].startswith("'soon' is no moment")


def test_a_cancelled_run_frees_its_lines(hub: Settling, shell: Shell) -> None:
    hub.sold(hub.seller(10_000), hub.supplier(shipping=0))
    shell.ask("settle", "draft")
    told = shell.ask("settle", "cancel", 1)
    assert (told["state"], told["statements"]) == ("cancelled", [])
    assert shell.ask("settle", "draft")["statements"][0]["closing"] == "10.00"


def test_a_statement_is_read_and_taken_away(hub: Settling, shell: Shell, tmp_path: Path) -> None:
    seller, supplier = hub.seller(10_000), hub.supplier(shipping=0)
    line = hub.sold(seller, supplier, 2, "10.00")
    hub.refund(line, 1)
    shell.ask("settle", "draft")
    sheet, page = tmp_path / "s.csv", tmp_path / "s.html"
    told = shell.ask("settle", "statement", 1, "--csv", sheet, "--html", page)
    assert [(row["rule"], row["in"], row["out"], row["balance"]) for row in told["lines"]] == [
        ("mature", "20.00", None, "20.00"), ("refund", None, "10.00", "10.00"),
    ]  # fmt: skip
    assert (told["csv"], told["html"]) == (str(sheet), str(page))
    table = list(csv.reader(io.StringIO(sheet.read_text("utf-8-sig"))))
    assert [row[1] for row in table] == ["what", "Opening balance", "Matured", "Refund", "Closing balance"]
    assert table[-1][7] == "10.00"
    html = page.read_text()
    assert "<style>" in html and "/static/" not in html
    assert html.count(">10.00 EUR</td>") == 1 and "Closing balance" in html
    assert shell.refuse("settle", "statement", 7)[1].startswith("Statement 7 is not there.")


def test_unknown_money_is_allocated_once(hub: Settling, shell: Shell) -> None:
    seller = hub.seller()
    hub.bank.topup(5_000, "for the lamps", "Somebody")
    told = shell.ask("bank", "import", hub.statement_file())
    assert told["states"] == {"unallocated": 1}
    (line,) = shell.ask("bank", "list", "--state", "unallocated")["lines"]
    assert (line["amount"], line["counterparty"], line["problem"]) == (
        "50.00", "Somebody", "The payer's text names no seller's deposit reference.",
    )  # fmt: skip
    both = [shell.ask("bank", "allocate", line["id"], seller) for _ in range(2)]
    assert both[0] == both[1]
    assert figures(shell.ask("deposit", "show", seller)) == ("50.00", "0.00", "0.00", "0.00")
    assert hub.reference(seller) in shell.read("deposit", "list")
    assert shell.ask("bank", "list")["states"] == {"matched": 1}
    assert shell.refuse("bank", "allocate", line["id"], seller, "--key", "other")[0] == 2
    assert shell.refuse("bank", "allocate", 99, seller)[1].startswith("Bank line 99 is not there.")
    assert shell.refuse("bank", "list", "--state", "lost")[0] == 2


def test_a_bank_file_twice_changes_nothing_and_a_broken_one_is_refused(
    hub: Settling, shell: Shell, tmp_path: Path
) -> None:
    seller = hub.seller()
    hub.bank.topup(5_000, hub.reference(seller), "Seller")
    file = hub.statement_file()
    first = shell.ask("bank", "import", file)
    before = hub.hash()
    assert shell.ask("bank", "import", file) == first
    assert hub.hash() == before
    broken = tmp_path / "broken.xml"
    broken.write_text("<Document>")
    assert shell.refuse("bank", "import", broken)[0] == 2
    assert shell.refuse("bank", "import", tmp_path / "none.xml")[0] == 2
    assert one(hub.db, "SELECT count(*) FROM bank_statement") == 1


def test_an_account_reads_like_a_bank_statement_now_and_then(hub: Settling, shell: Shell) -> None:
    seller = hub.seller()
    shell.ask("deposit", "top-up", seller, "10", "--key", "1")
    moment = one(hub.db, "SELECT clock_timestamp()")
    shell.ask("deposit", "top-up", seller, "5", "--key", "2")
    shell.ask("deposit", "withdraw", seller, "3", "--key", "3")
    name = f"seller:{seller}:deposit"
    balances = {row["name"]: row["balance"] for row in shell.ask("account", "list")["accounts"]}
    assert (balances[name], balances["psp"]) == ("12.00", "15.00"), (
        "an asset that is worth something is positive"
    )
    then = {
        row["name"]: row["balance"]
        for row in shell.ask("account", "list", "--at", moment.isoformat())["accounts"]
    }
    assert (then[name], then["psp"]) == ("10.00", "10.00")
    told = shell.ask("account", "show", name)
    assert [(row["in"], row["out"], row["balance"]) for row in told["lines"]] == [
        (None, "3.00", "12.00"), ("5.00", None, "15.00"), ("10.00", None, "10.00"),
    ]  # fmt: skip
    before = told["lines"][1]["version"]
    assert [row["balance"] for row in shell.ask("account", "show", name, "--before", before)["lines"]] == [
        "10.00"
    ]
    assert "Top-up" in shell.read("account", "show", name)
    assert shell.refuse("account", "show", "seller:99:deposit")[1].startswith(
        "Account seller:99:deposit is not there."
    )
    assert shell.refuse("account", "list", "--at", "then")[1].startswith("'then' is no moment")


def test_a_proof_that_fails_says_so_with_its_exit_code(hub: Settling, shell: Shell) -> None:
    seller = hub.seller()
    shell.ask("deposit", "top-up", seller, "10", "--key", "1")
    with hub.db.unit_of_work() as uow:
        uow.cursor().execute("ALTER TABLE account DISABLE TRIGGER USER")  # past the database's own guards
        uow.cursor().execute("UPDATE account SET balance = balance + 1 WHERE name = 'psp'")
    code, told, said = shell.run("proof")
    assert (code, told["ok"], said) == (1, False, "")
    assert [check["ok"] for check in told["checks"]].count(False) >= 1
    shell.patch.setattr("sys.argv", ["entrepot", "proof"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "NO" in shell.capsys.readouterr().out
