"""`python -m sandbox.bank FOLDER COMMAND`: the bank's counter; the last line it prints is JSON."""

import argparse
import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

from sandbox.bank import payment_file
from sandbox.bank.books import OUR_IBAN, Books
from sandbox.bank.payment_file import Rejected, cents
from sandbox.bank.statement import decimal, entry_reference, render, statement_id


def main() -> int:
    """0, or 2 where the bank refuses: {"refused": "…"}."""
    given = _arguments()
    books = Books(given.folder, given.first_day)
    try:
        answer, code = _answer(books, given), 0
    except (Rejected, OSError) as error:
        answer, code = {"refused": str(error)}, 2
    finally:
        books.close()
    print(json.dumps(answer), flush=True)
    return code


def _answer(books: Books, given: argparse.Namespace) -> dict[str, Any]:
    account = given.account
    match given.command:
        case "open":
            books.open(account, given.holder)
            return {"account": account, **_balance(books, account)}
        case "topup":
            entry = books.topup(cents(given.amount), given.reference, given.payer, account)
            return {"entry": entry_reference(entry), **_balance(books, account)}
        case "fee":
            entry = books.fee(cents(given.amount), given.text, account)
            return {"entry": entry_reference(entry), **_balance(books, account)}
        case "pay":
            file = payment_file.read(given.file.read_bytes())
            booked = books.pay(file)
            paid = -sum(entry.cents for entry in booked)
            account = file.batches[0].debtor_iban
            count = sum(len(entry.parts) for entry in booked)
            return {
                "message": file.message_id,
                "paid": count,
                "sum": decimal(paid),
                **_balance(books, account),
            }
        case "close":
            books.close_account(given.iban)
            return {"closed": given.iban}
        case "return":
            books.send_back(given.end_to_end_id, given.reason)
            return {"returning": given.end_to_end_id, "reason": given.reason}
        case "balance":
            return {"account": account, **_balance(books, account)}
        case _:
            again = given.number is not None
            made = books.statement(given.number, account) if again else books.close_day(account)
            given.out.parent.mkdir(parents=True, exist_ok=True)
            given.out.write_bytes(render(made))
            return {
                "statement": statement_id(made),
                "number": made.number,
                "day": made.day.isoformat(),
                "entries": len(made.entries),
                "opening": _signed(made.opening),
                "closing": _signed(made.closing),
                "file": str(given.out),
            }


def _balance(books: Books, account: str) -> dict[str, str]:
    return {"balance": _signed(books.balance(account))}


def _signed(amount: int) -> str:
    return ("-" if amount < 0 else "") + decimal(amount)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.bank", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the bank keeps its books")
    parser.add_argument("--account", default=OUR_IBAN, help="the customer's IBAN; without it %(default)s")
    parser.add_argument("--first-day", type=date.fromisoformat, help="the bank's first day; without it today")
    commands = parser.add_subparsers(dest="command", required=True)
    opened = commands.add_parser("open", help="opens the --account")
    opened.add_argument("--holder", required=True)
    topup = commands.add_parser("topup", help="somebody pays in")
    topup.add_argument("--amount", required=True)
    topup.add_argument("--reference", required=True)
    topup.add_argument("--payer", required=True)
    fee = commands.add_parser("fee", help="the bank charges")
    fee.add_argument("--amount", required=True)
    fee.add_argument("--text", default="Account fee")
    pay = commands.add_parser("pay", help="takes a pain.001 file")
    pay.add_argument("file", type=Path)
    close = commands.add_parser("close", help="what is paid to this IBAN comes back (AC04)")
    close.add_argument("iban")
    back = commands.add_parser("return", help="this transfer comes back")
    back.add_argument("end_to_end_id")
    back.add_argument("--reason", default="AC04")
    commands.add_parser("balance", help="what is there now")
    statement = commands.add_parser(
        "statement", help="closes the day with a camt.053 file; --number: an earlier one"
    )
    statement.add_argument("--out", type=Path, required=True)
    statement.add_argument("--number", type=int)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
