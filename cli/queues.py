"""`entrepot message`, `entrepot dead-letter` and `entrepot status`: what waits, what failed, and how much there is."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from cli.output import GREATEST, AsJson, hub, show
from cli.waiting import until
from core import queues
from core.errors import Refused, Temporary
from ledger.proof import prove

message = typer.Typer(no_args_is_help=True, help="Messages: events on their way to a step.")
dead_letter = typer.Typer(
    no_args_is_help=True, help="Dead letters: messages given up, kept with their reason, replayable."
)
Limit = Annotated[int, typer.Option(min=1, max=GREATEST, help="At most so many.")]
Number = Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="Its number.")]


@message.command("list")
def list_messages(
    queue: str | None = None,
    lane: str | None = None,
    state: str | None = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """The depth of each queue, and the messages themselves, the oldest first."""
    with hub() as db, db.unit_of_work() as uow:
        depths = [asdict(depth) for depth in queues.queue_depths(uow)]
        found = [
            asdict(each) for each in queues.messages(uow, queue=queue, lane=lane, state=state, limit=limit)
        ]
    if not as_json:
        found = [
            {name: row[name] for name in ("id", "lane", "step", "state", "attempts", "due_at", "last_error")}
            for row in found
        ]
    show({"queues": depths, "messages": found}, as_json)


@message.command("show")
def show_message(number: Number, as_json: AsJson = False) -> None:
    """One message with its payload."""
    with hub() as db, db.unit_of_work() as uow:
        show(asdict(queues.message(uow, number)), as_json)


@message.command("wait")
def wait(
    timeout: Annotated[float, typer.Option(help="Seconds to wait at the most.")] = 300,
    as_json: AsJson = False,
) -> None:
    """Waits until every message is worked. Exit 1 where it takes longer, or where dead letters came of it."""
    with hub() as db:
        with db.unit_of_work() as uow:
            before = queues.count_dead_letters(uow)
        until(db, _worked, "working through the messages", timeout=timeout)
        with db.unit_of_work() as uow:
            dead = queues.count_dead_letters(uow) - before
    show({"messages": 0, "dead_letters": max(dead, 0)}, as_json)
    if dead > 0:
        raise Temporary(f"{dead} messages became dead letters: `entrepot dead-letter list` says why.")


@dead_letter.command("list")
def list_dead_letters(
    step: str | None = None,
    everything: Annotated[bool, typer.Option("--all", help="Those replayed already, too.")] = False,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Dead letters, the newest first."""
    with hub() as db, db.unit_of_work() as uow:
        found = [
            asdict(each)
            for each in queues.dead_letters(
                uow, step=step, replayed=None if everything else False, limit=limit
            )
        ]
        count = queues.count_dead_letters(uow)
    if not as_json:
        found = [
            {name: row[name] for name in ("id", "lane", "step", "attempts", "died_at", "error")}
            for row in found
        ]
    show({"waiting": count, "dead_letters": found}, as_json)


@dead_letter.command("show")
def show_dead_letter(number: Number, as_json: AsJson = False) -> None:
    """One dead letter with payload and traceback."""
    with hub() as db, db.unit_of_work() as uow:
        show(asdict(queues.dead_letter(uow, number)), as_json)


@dead_letter.command("replay")
def replay(
    numbers: Annotated[list[int] | None, typer.Argument(help="Their numbers.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that wait.")] = False,
    as_json: AsJson = False,
) -> None:
    """Puts messages back, their attempts forgotten."""
    if not numbers and not everything:
        raise Refused("Name the dead letters by their numbers, or say --all.", rule="usage")
    with hub() as db, db.unit_of_work() as uow:
        chosen = [each.id for each in queues.dead_letters(uow, limit=10_000)] if everything else numbers or []
        show(
            {
                "replayed": [
                    {"dead_letter": number, "message": queues.replay(uow, number)} for number in chosen
                ]
            },
            as_json,
        )


@dead_letter.command("drop")
def drop(number: Number, as_json: AsJson = False) -> None:
    """Deletes a dead letter for good."""
    with hub() as db, db.unit_of_work() as uow:
        queues.drop(uow, number)
    show({"dropped": number}, as_json)


STATUS = {
    "companies": "SELECT count(*) FROM company WHERE kind <> 'hub'",
    "feeds": "SELECT count(*) FROM feed",
    "offers": "SELECT count(*) FROM offer WHERE state = 'offered'",
    "rejects": """SELECT count(*) FROM reject WHERE run_id IN (
                    SELECT max(id) FROM feed_run WHERE state = 'applied' GROUP BY feed_id)""",
    "runs_waiting": "SELECT count(*) FROM feed_run WHERE state = 'waiting'",
    "products": "SELECT count(*) FROM product",
    "variants": "SELECT count(*) FROM variant",
    "shops": "SELECT count(*) FROM shop",
    "shops_in_trouble": "SELECT count(*) FROM shop WHERE problem IS NOT NULL",
    "unread_orders": """SELECT count(*) FROM dead_letter d LEFT JOIN shop_order o
                          ON d.lane = 'shop:' || o.shop_id AND o.external_id = d.payload->>'external_id'
                        WHERE d.event = 'OrderNoticed' AND d.replayed_at IS NULL
                          AND (o.id IS NULL OR o.external_updated_at <= d.died_at)""",
    "listings_live": "SELECT count(*) FROM listing WHERE state = 'live'",
    "drift": "SELECT count(*) FROM listing WHERE state = 'drifted'",
    "orders": "SELECT count(*) FROM shop_order",
    "parked": """SELECT count(*) FROM order_line WHERE state IN ('awaiting_stock', 'awaiting_deposit', 'submit_unknown')
                   OR (state = 'received' AND reason IS NOT NULL)""",
    "privacy_requests": "SELECT count(*) FROM privacy_request WHERE answered_at IS NULL",
    "shipped": "SELECT count(*) FROM order_line WHERE shipped > 0",
    "refunded": "SELECT count(*) FROM order_line WHERE refunded > 0",
    "statements": "SELECT count(*) FROM statement",
    "payouts": "SELECT count(*) FROM payout WHERE state <> 'cancelled'",
    "returned": "SELECT count(*) FROM payout WHERE state = 'returned'",
    "undecided": "SELECT count(*) FROM listing WHERE undecided AND external_id IS NULL AND wanted IS NOT NULL",
    "messages": "SELECT count(*) FROM message",
    "dead_letters": "SELECT count(*) FROM dead_letter WHERE replayed_at IS NULL",
}
"""`rejects` are those of each feed's present file, not of all files there ever were.

`parked`, `shipped` and `refunded` count order lines: those that wait for stock, deposit or a person, those of which
something left, and those of which something shipped came back. `undecided` are listings that wait for their
shop's owner's word: he sells something with their SKU or GTIN already.
"""
LINES = "SELECT state, count(*) FROM order_line GROUP BY state ORDER BY state"


def status(as_json: AsJson = False) -> None:
    """How much there is of everything, and what needs a person. `ledger_remainder` is what `proof` is left with."""
    with hub() as db:
        with db.unit_of_work() as uow:
            cursor = uow.cursor()
            counts: dict[str, Any] = {}
            for name, query in STATUS.items():
                ((counts[name],),) = cursor.execute(query).fetchall()
            counts["lines"] = dict(cursor.execute(LINES).fetchall())
        with db.unit_of_work() as uow:
            counts["ledger_remainder"] = str(prove(uow).remainder.amount)
    show(counts, as_json)


def _worked(uow: Any) -> tuple[bool, str]:
    depths = queues.queue_depths(uow)
    number = sum(depth.waiting + depth.sent + depth.running for depth in depths)
    return number == 0, f"{number} to go"
