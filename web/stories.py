"""A thing's story: what happened, when and why, each line with its cause. Pure functions of what was read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.tables import AuditRecord, DeadLetter
from models.catalogue import Offer
from models.shops import Listing, Push, Shop
from models.suppliers import FeedRun
from web.queries.undecided import spoken


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a story. `address` is its cause's page; `moment` is None for what is going on now."""

    moment: datetime | None
    tone: str
    words: str
    under: str = ""
    address: str = ""


def story_of_run(run: FeedRun, letters: Iterable[Any]) -> list[Line]:
    """A run from its file to the catalogue, the newest first."""
    lines = [
        Line(run.landed_at, "good", "The file came", f"{run.file_name} went into the archive under its hash.")
    ]
    if run.state == "unchanged":
        lines.append(
            Line(run.landed_at, "off", "Nothing to do", "The offers show exactly this file already.")
        )
    if run.state == "refused":
        lines.append(Line(run.staged_at, "bad", "The file was refused", run.problem or ""))
    if run.summary is not None:
        refused = run.summary["rejected"] + run.summary["quarantined"]
        words = "Every record was answered"
        lines.append(
            Line(
                run.staged_at,
                "good",
                words,
                f"{run.summary['records']:,} records, {refused:,} of them not accepted.",
            )
        )
    if run.plan is not None and run.plan.get("limits"):
        lines.append(
            Line(run.staged_at, "wait", "The plan went beyond a limit", " ".join(run.plan["limits"]))
        )
    if run.state in ("applied", "undone") and run.plan is not None:
        plan = run.plan
        lines.append(
            Line(
                run.applied_at,
                "good",
                "The differences were written",
                f"{plan['new']:,} new, {plan['changed']:,} changed, {plan['gone']:,} gone; all else was left alone.",
            )
        )
    lines += {
        "landed": [Line(None, "busy", "The file is being read", "Every record gets a verdict.")],
        "staged": [
            Line(
                None,
                "busy",
                "The plan is being made",
                "What would change, and whether a person must look first.",
            )
        ],
        "waiting": [
            Line(
                None,
                "wait",
                "It waits for a person",
                "Nothing changes before the run is approved; a later file replaces it.",
            )
        ],
        "approved": [Line(None, "busy", "The differences are being written")],
        "undone": [
            Line(
                None,
                "off",
                "The run was undone",
                "The offers are what they were before it; its file may come again.",
            )
        ],
        "superseded": [
            Line(None, "off", "A later file was applied first", "An old file must not undo a new one.")
        ],
    }.get(run.state, [])
    for letter in letters:
        lines.append(
            Line(
                letter["died_at"],
                "bad",
                "A step was given up",
                letter["error"],
                f"/dead-letters/{letter['id']}",
            )
        )
    lines.reverse()
    return lines


def story_of_offer(offer: Offer, done: Iterable[AuditRecord]) -> list[Line]:
    """An offer from its first file to what people did with it, the newest first."""
    lines = []
    if offer.first_run_id is not None:
        lines.append(
            Line(offer.first_seen_at, "good", "It was offered for the first time", f"by run {offer.first_run_id}", f"/runs/{offer.first_run_id}")
        )  # fmt: skip
    if offer.feed_run_id != offer.first_run_id:
        gone = offer.state == "gone"
        words = "It was withdrawn" if gone else "It was changed last"
        lines.append(
            Line(offer.changed_at, "wait" if gone else "busy", words, f"by run {offer.feed_run_id}", f"/runs/{offer.feed_run_id}")
        )  # fmt: skip
    lines += [Line(row.at, "good", row.words, f"said by {row.actor}") for row in done]
    return sorted(lines, key=lambda line: line.moment or offer.changed_at, reverse=True)


def story_of_shop(shop: Shop, pushes: Iterable[Push]) -> list[Line]:
    """A shop from its connection to its last pushes, the newest first."""
    lines = [Line(shop.created_at, "good", "The shop was connected", shop.url)]
    if shop.live_since is not None:
        lines.append(
            Line(shop.live_since, "good", "It went live", "From then on the hub keeps it true by itself.")
        )
    for push in pushes:
        lines.append(line_of_push(push))
    if shop.problem:
        lines.append(Line(shop.checked_at, "bad", "Trouble with the shop", shop.problem))
    elif shop.checked_at is not None:
        lines.append(Line(shop.checked_at, "good", "It answered"))
    return sorted(lines, key=lambda line: line.moment or shop.created_at, reverse=True)


def line_of_push(push: Push) -> Line:
    """A push in one line."""
    asked = "by the hub itself" if push.asked_by == "hub" else f"by {push.asked_by}"
    if push.state == "waiting":
        return Line(
            push.started_at,
            "wait",
            "A push waits for a person",
            " ".join(push.plan.get("limits", [])),
            f"/shops/{push.shop_id}/plan",
        )
    if push.state == "running":
        return Line(push.started_at, "busy", f"A push is running, asked {asked}")
    told = push.outcome
    if told.get("problem"):
        return Line(push.ended_at, "bad", "A push failed", told["problem"])
    counts = f"{told.get('sent', 0):,} sent, {told.get('refused', 0):,} refused, {told.get('withdrawn', 0):,} withdrawn"
    return Line(
        push.ended_at, "wait" if told.get("refused") else "good", f"A push ended, asked {asked}", counts
    )


def story_of_listing(listing: Listing, offer: Any, *, taken: bool = False, waits: bool = False) -> list[Line]:
    """A listing from the supplier's record to what the shop holds, the newest first; `taken`: it was adopted and nothing
    was sent to it yet; `waits`: it waits for the owner's word."""
    lines = []
    if offer is not None:
        words = f"{offer['supplier']} offers it"
        lines.append(
            Line(
                offer["changed_at"],
                "good",
                words,
                f"{offer['locator']} of {offer['file_name']}",
                f"/runs/{offer['feed_run_id']}",
            )
        )
    if listing.sent_at is not None:
        lines.append(
            Line(
                listing.sent_at,
                "good",
                "It was adopted: the shop had it already" if taken else "The shop was sent it",
                f"as number {listing.external_id}" if listing.external_id else "",
            )
        )
    if listing.seen_at is not None and listing.seen is not None:
        drifted = listing.state == "drifted"
        lines.append(
            Line(
                listing.seen_at,
                "wait" if drifted else "good",
                "It was read back",
                "different from what was sent"
                if drifted
                else "as it was found"
                if taken
                else "equal to what was sent",
            )
        )
    if listing.problem:
        lines.append(
            Line(
                None,
                "bad" if listing.state == "refused" else "wait",
                "It waits for the owner's word" if waits else "What stands in the way",
                spoken(listing.problem) if waits else listing.problem,
                f"/shops/{listing.shop_id}/adoption" if waits else "",
            )
        )
    lines.reverse()
    return lines


TONES = {
    "parked": "wait", "unknown": "bad", "rejected": "bad", "cancel_refused": "wait", "changed": "busy", "purchased": "busy", "placed": "busy",
    "funded": "busy", "reserved": "busy", "released": "off", "cancelled": "off", "refunded": "wait", "refund_told": "off",
    "forgotten": "off",
}  # fmt: skip
"""What is not named here went well."""
CAUSES = {"entry": "/money/entries/{}", "po": "/purchase-orders/{}", "shipment": "#shipment-{}"}


def story_of_order(events: Iterable[Mapping[str, Any]]) -> list[Line]:
    """An order from the shop to its buyer, the newest first; each line leads to the entry, purchase order or parcel behind it."""
    lines = []
    for event in events:
        kind, _, number = (event["link"] or "").partition(":")
        address = CAUSES[kind].format(number) if kind in CAUSES and number.isdecimal() else ""
        lines.append(Line(event["at"], TONES.get(event["what"], "good"), event["text"], "", address))
    lines.reverse()
    return lines


def story_of_letter(letter: DeadLetter) -> list[Line]:
    """A message from its event to its end, the newest first."""
    tries = "once" if letter.attempts == 1 else f"{letter.attempts} times"
    lines = [
        Line(letter.created_at, "good", f"{letter.event} was emitted", f"for the step {letter.step}"),
        Line(letter.died_at, "bad", f"It was tried {tries} and given up", letter.error),
    ]
    if letter.replayed_at is not None:
        lines.append(
            Line(
                letter.replayed_at,
                "good",
                "It was put back into its queue",
                "as a new message, its attempts forgotten",
            )
        )
    lines.reverse()
    return lines
