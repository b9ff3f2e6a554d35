"""What a line of a bank statement means: pure decisions from the line and the payout or seller it names."""

from dataclasses import dataclass

from core.money import Money


@dataclass(frozen=True, slots=True)
class Seen:
    """A line of the statement: `kind` as in connectors.banking.BankLine, amount positive."""

    kind: str
    amount: Money
    end_to_end_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """The payout of ours whose end-to-end id the line carries."""

    id: int
    kind: str
    company_id: int
    amount: Money
    state: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The rule of ledger/rules.py to post by, and whose money it is. With a `problem` the line stays unallocated."""

    rule: str
    company_id: int | None = None
    problem: str | None = None
    payout_state: str | None = None


def verdict(line: Seen, payout: Named | None, seller_id: int | None) -> Verdict:
    """Every line is booked, since the bank account has moved: where it is not clear, a person says whose money it is."""
    match line.kind:
        case "fee":
            return Verdict("bank_fee")
        case "credit":
            if seller_id is not None:
                return Verdict("top_up", seller_id)
            return Verdict("unallocated", problem="The payer's text names no seller's deposit reference.")
        case "debit":
            problem = _not_paid_by(line, payout)
            if payout is None or problem:
                return Verdict("unallocated_returned", problem=problem)
            rule = "payout_paid" if payout.kind == "statement" else "withdrawal_paid"
            return Verdict(rule, payout.company_id, payout_state="paid")
        case _:
            problem = _not_returned_by(line, payout)
            if payout is None or problem:
                return Verdict("unallocated", problem=problem)
            rule = "payout_returned" if payout.kind == "statement" else "withdrawal_returned"
            return Verdict(rule, payout.company_id, payout_state="returned")


def _not_paid_by(line: Seen, payout: Named | None) -> str | None:
    if payout is None:
        return f"{line.amount} left the account, and no payout has the id {line.end_to_end_id or '(none)'}."
    if payout.state != "exported":
        return f"Payout {payout.id} is {payout.state}: {line.amount} went out for it once more. Ask the bank."
    if payout.amount != line.amount:
        return f"Payout {payout.id} is of {payout.amount}, but {line.amount} went out for it. Ask the bank."
    return None


def _not_returned_by(line: Seen, payout: Named | None) -> str | None:
    if payout is None:
        return f"{line.amount} came back, and no payout has the id {line.end_to_end_id or '(none)'}."
    if payout.state != "paid":
        return f"Payout {payout.id} is {payout.state}, not paid, and {line.amount} came back for it. Ask the bank."
    if payout.amount != line.amount:
        return f"Payout {payout.id} is of {payout.amount}, but {line.amount} came back for it. Ask the bank."
    return None
