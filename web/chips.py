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
        "none": Chip("no file yet", "off", "No file has come."),
    },
    "listing": {
        "waiting": Chip("waiting", "busy", "Wanted in the shop, not yet there."),
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
    "letter": {
        "dead": Chip("dead", "bad", "Given up; it can be replayed."),
        "replayed": Chip("replayed", "off", "It was put back into its queue."),
    },
    "verdict": {
        "accepted": Chip("accepted", "good", "Taken over."),
        "rejected": Chip("rejected", "bad", "Not taken over."),
        "quarantined": Chip("quarantined", "wait", "Set aside until the supplier has said what he means."),
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
