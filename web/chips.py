"""State chips: each state's word and colour in one place, so that the same state looks the same on every page."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chip:
    """A word and a tone: "good", "busy", "wait" (somebody must look), "bad" or "off"."""

    word: str
    tone: str
    meaning: str


CHIPS: dict[str, dict[str, Chip]] = {
    "run": {
        "landed": Chip("reading", "busy", "The file is in the archive and is being read."),
        "staged": Chip("planning", "busy", "Every record is answered; the plan is being made."),
        "waiting": Chip("waiting", "wait", "The plan is beyond a limit: a person must let it pass."),
        "approved": Chip("applying", "busy", "The differences are being written."),
        "applied": Chip("applied", "good", "The offers show this file."),
        "refused": Chip("refused", "bad", "The file cannot be used."),
        "unchanged": Chip("unchanged", "off", "The same file as the offers show already."),
        "superseded": Chip("superseded", "off", "A later file was applied first."),
        "undone": Chip("undone", "off", "The offers went back to what they were before it."),
        "none": Chip("no file yet", "off", "No file has come."),
    },
    "offer": {
        "best": Chip("best", "good", "It speaks for the variant, and is bought."),
        "offered": Chip("offered", "off", "Another offer is better now."),
        "gone": Chip("gone", "wait", "Its supplier does not offer it any more."),
    },
    "path": {
        "proposal": Chip("waits", "wait", "A person must say what it means."),
        "person": Chip("said", "good", "A person said so."),
        "learned": Chip("learned", "good", "A person said so of another supplier's same path."),
        "exact": Chip("exact", "good", "It is a number or a path of the taxonomy itself."),
    },
    "listing": {
        "waiting": Chip("waiting", "busy", "Wanted in the shop, not yet there."),
        "undecided": Chip(
            "waits for your word", "wait", "The shop has it already: it is adopted, or it is none of ours."
        ),
        "blocked": Chip("blocked", "wait", "We will not send it; it says why."),
        "sent": Chip("sent", "busy", "The shop took it; not yet read back."),
        "live": Chip("live", "good", "Read back, and equal to what we sent."),
        "drifted": Chip("drifted", "wait", "Read back, and different from what we sent."),
        "refused": Chip("refused", "bad", "The shop said no."),
        "withdrawn": Chip("withdrawn", "off", "No longer wanted, and out of sale there."),
    },
    "shop": {
        "live": Chip("live", "good", "The hub keeps this shop true by itself."),
        "new": Chip("not live yet", "off", "Nothing is sent before its first push."),
        "trouble": Chip("trouble", "bad", "The shop cannot be used as it is."),
    },
    "adoption": {
        "proposed": Chip("proposed", "busy", "It is one of ours; a person says whether it is adopted."),
        "unclear": Chip("unclear", "wait", "It may be one of ours; its sentence says why that is not clear."),
        "adopted": Chip("adopted", "good", "It is ours now; the next push keeps it true."),
        "left": Chip("left", "off", "A person said that it is none of ours."),
    },
    "push": {
        "waiting": Chip("waiting", "wait", "The plan is beyond a limit: a person must let it go."),
        "running": Chip("running", "busy", "The shop is being sent what differs."),
        "done": Chip("done", "good", "Everything was answered."),
        "failed": Chip("failed", "bad", "The shop could not be used."),
    },
    "message": {
        "waiting": Chip("waiting", "off", "Its turn has not come."),
        "sent": Chip("sent", "busy", "On its way to a worker."),
        "running": Chip("running", "busy", "A worker is at it."),
        "retrying": Chip("retrying", "wait", "It failed and will be tried again."),
    },
    "privacy": {
        "open": Chip("to be answered", "wait", "A person sends the buyer's data within 30 days."),
        "late": Chip("overdue", "bad", "It should have been answered by now."),
        "done": Chip("done", "good", "It was answered, or done when it came."),
    },
    "letter": {
        "dead": Chip("dead", "bad", "Given up; it can be replayed."),
        "replayed": Chip("replayed", "off", "It was put back into its queue."),
    },
    "verdict": {
        "accepted": Chip("accepted", "good", "Taken over."),
        "rejected": Chip("rejected", "bad", "Not taken over."),
        "quarantined": Chip("quarantined", "wait", "Set aside until the supplier has said what he means."),
    },
    "line": {
        "unpaid": Chip("unpaid", "off", "The buyer has not paid the seller yet."),
        "received": Chip("received", "busy", "Taken over; it is being covered."),
        "awaiting_stock": Chip("awaits stock", "wait", "No supplier has it in this quantity now."),
        "awaiting_deposit": Chip("awaits deposit", "wait", "The seller's deposit does not cover it."),
        "funded": Chip("funded", "busy", "Stock and deposit are set aside; it is being ordered."),
        "submitting": Chip("being ordered", "busy", "It is on its way to the supplier."),
        "submit_unknown": Chip(
            "fate unknown", "bad", "The supplier did not answer clearly: he is asked before it is repeated."
        ),
        "accepted": Chip("at the supplier", "good", "The supplier will deliver it."),
        "rejected": Chip("rejected", "bad", "The supplier will not deliver it."),
        "cancel_requested": Chip("to be cancelled", "wait", "The supplier was asked to cancel it."),
        "shipped": Chip("shipped", "good", "It left the supplier."),
        "cancelled": Chip("cancelled", "off", "Nothing of it is wanted any more."),
        "refunded": Chip("refunded", "off", "It came back, and the money with it."),
    },
    "standing": {
        "unpaid": Chip("unpaid", "off", "The buyer has not paid the seller yet."),
        "open": Chip("open", "busy", "Paid, and wanted."),
        "cancelled": Chip("cancelled", "off", "Cancelled in the shop."),
    },
    "po": {
        "submitting": Chip("being sent", "busy", "It is on its way to the supplier."),
        "unknown": Chip(
            "fate unknown", "bad", "The supplier did not answer clearly: he is asked before it is repeated."
        ),
        "placed": Chip("placed", "busy", "The supplier has it and did not answer yet."),
        "accepted": Chip("accepted", "good", "The supplier will deliver it."),
        "rejected": Chip("rejected", "bad", "The supplier will not deliver it."),
        "cancel_requested": Chip("to be cancelled", "wait", "The supplier was asked to cancel it."),
        "cancelled": Chip("cancelled", "off", "Nothing of it is open any more."),
        "shipped": Chip("shipped", "good", "Nothing of it is open any more."),
    },
    "settlement": {
        "draft": Chip("draft", "wait", "A person looks at it and locks it."),
        "locked": Chip("locked", "wait", "Its lines are fixed; a person approves it."),
        "approved": Chip("approved", "busy", "Its payment file is being made."),
        "exported": Chip(
            "at the bank", "busy", "The payment file is there; the bank has not spoken of all of it."
        ),
        "confirmed": Chip("paid", "good", "The bank confirmed every payout."),
        "partly": Chip("paid in part", "bad", "The bank returned some of its payouts."),
        "closed": Chip("closed", "off", "Nothing of it is open any more."),
        "cancelled": Chip("cancelled", "off", "Given up before it was exported."),
    },
    "payout": {
        "asked": Chip("asked", "wait", "It joins the next payment file."),
        "pending": Chip("pending", "busy", "It is being built."),
        "exported": Chip("at the bank", "busy", "It is in the payment file; the bank has not spoken of it."),
        "paid": Chip("paid", "good", "It stands on the bank's statement."),
        "rejected": Chip("refused", "bad", "The bank did not take it."),
        "returned": Chip("returned", "bad", "It came back from the bank."),
        "cancelled": Chip("cancelled", "off", "Given up before it was sent."),
    },
    "bank": {
        "new": Chip("being matched", "busy", "Taken in; not matched yet."),
        "matched": Chip("matched", "good", "It led to an entry of the journal."),
        "unallocated": Chip("unallocated", "wait", "A person must say whose money it is."),
    },
    "answer": {
        "taken": Chip("taken", "good", "It was taken down."),
        "unchanged": Chip("unchanged", "off", "It was known already."),
        "empty": Chip("empty", "off", "The row answers nothing."),
        "refused": Chip("refused", "bad", "It was not taken down."),
    },
    "change": {
        "new": Chip("new", "good", "Not offered before."),
        "changed": Chip("changed", "busy", "Offered before, and different now."),
        "unchanged": Chip("unchanged", "off", "As it was."),
        "gone": Chip("gone", "wait", "No longer in the file."),
        "create": Chip("create", "good", "Will be made in the shop."),
        "update": Chip("update", "busy", "Will be changed in the shop."),
        "stock": Chip("stock", "busy", "Only its stock is sent."),
        "withdraw": Chip("withdraw", "wait", "Will be taken out of sale."),
    },
}


def chip(kind: str, state: str) -> Chip:
    """The chip of a state; a state nobody named is shown as it is, in grey."""
    return CHIPS[kind].get(state, Chip(state, "off", ""))
