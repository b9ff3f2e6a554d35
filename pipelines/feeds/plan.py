"""Plans a staged run: what would change among the feed's offers, and whether a person must look first."""

from typing import Any

from psycopg import Cursor
from psycopg.rows import dict_row

from core.database import SET_SECONDS, Database, UnitOfWork
from core.errors import Refused
from models.absence import note_absent
from models.events import FeedStaged, RunApproved
from models.modes import Scope, scope_of
from models.runs import held, policy_of
from models.staged import (
    POLICY,
    PRICE_CHANGES,
    STATED,
    another_is_taken,
    based,
    beside,
    emptied,
    unchanged,
)
from models.suppliers import Feed, FeedRun

PAIRS = "JOIN offer o ON o.feed_id = %(target)s AND o.supplier_sku = s.supplier_sku"


def plan(event: FeedStaged, db: Database) -> None:
    """Stores the plan; within its limits the run goes on by itself, else it waits with the sentences that say why."""
    with db.unit_of_work(last=True) as uow:
        uow.allow(SET_SECONDS)
        run = uow.session.get_one(FeedRun, event.run_id)
        feed = uow.session.get_one(Feed, run.feed_id, with_for_update={"key_share": True})
        uow.session.refresh(run)  # as it is now that nobody else works at this feed
        if run.state != "staged" or another_is_taken(uow.cursor(), run) or emptied(uow, run, feed):
            return
        scope = scope_of(uow.session, feed)
        counts = count(uow.cursor(), run, feed, scope)
        policy = policy_of(run, {**POLICY, **feed.policy})
        broken = beyond_limits(counts, policy)
        limits = [*held(uow.session, run), *(run.facts or {}).get("breaks", []), *broken]
        run.plan = {
            **counts,
            "examples": examples(uow.cursor(), run, scope, policy["assumed_stock"])
            if counts["changed"]
            else [],
            "limits": limits,
            "asks": asks(counts, feed),
        }
        if limits:
            run.state = "waiting"
        else:
            approve(uow, run, feed)


def approve(uow: UnitOfWork, run: FeedRun, feed: Feed) -> None:
    """Lets a planned run pass. Raises Refused where it is in no state for that, by now: two may approve at once."""
    uow.session.flush()
    uow.session.refresh(run, with_for_update={"key_share": True})
    if run.state not in ("staged", "waiting"):
        raise Refused(f"Run {run.id} is {run.state}: only a waiting run can be approved.", rule="wrong_state")
    run.state = "approved"
    uow.emit(RunApproved(tenant=feed.supplier_id, lane=feed.lane, run_id=run.id))


def count(cursor: Cursor[Any], run: FeedRun, feed: Feed, scope: Scope) -> dict[str, Any]:
    """How many offers the run would make, change, leave and miss; which fields change; how stock and price move.

    `unknown` counts what a file of stock or prices alone names and nobody offers.
    """
    policy = policy_of(run, {**POLICY, **feed.policy})
    facts = {"run": run.id, "target": scope.target, "assumed": policy["assumed_stock"], "as_of": run.as_of}
    before = note_absent(cursor, run, scope, policy)
    some, told = before.pop("some"), run.facts or {}
    if not some and "without_cost" in told:  # of a first load reading saw all there is to count
        row = {name: told[name] if scope.whole else 0 for name in ("without_cost", "without_currency")}
        row |= {
            "staged": told["staged"],
            "unmet": told["staged"],
            "changed": 0,
            "to_zero": 0,
            "price_changes": 0,
        }
        changed: dict[str, int] = {}
    else:
        row = compared(cursor, run, scope, facts)
        changed = {name: row.pop(f"f_{name}") for name in scope.compared}
    row["staged"] += unchanged(run)
    unmet = row.pop("unmet")
    return {
        **row, **before, "new": unmet if scope.whole else 0, "unknown": 0 if scope.whole else unmet,
        "unchanged": row["staged"] - unmet - row["changed"],
        "fields": {name: number for name, number in changed.items() if number},
    }  # fmt: skip


def compared(cursor: Cursor[Any], run: FeedRun, scope: Scope, facts: dict[str, Any]) -> dict[str, int]:
    """The staged offers beside those there are: how many are `unmet`, `changed` (`f_` and a field: in that), go `to_zero`."""
    fields = ", ".join(
        f"count(*) FILTER (WHERE o.id IS NOT NULL AND o.{name} IS DISTINCT FROM {scope.sets[name]}) AS f_{name}"
        for name in scope.compared
    )
    row = (
        dict_cursor(cursor)
        .execute(
            f"""SELECT count(*) AS staged, count(*) FILTER (WHERE s.cost IS NULL AND {scope.whole}) AS without_cost,
              count(*) FILTER (WHERE s.currency IS NULL AND {scope.whole}) AS without_currency,
              count(*) FILTER (WHERE o.id IS NULL) AS unmet,
              count(*) FILTER (WHERE o.id IS NOT NULL AND {scope.differs}) AS changed,
              count(*) FILTER (WHERE {scope.stock} AND o.free > 0 AND {STATED} = 0) AS to_zero,
              count(*) FILTER (WHERE {scope.prices} AND ({PRICE_CHANGES if scope.whole else scope.differs})) AS price_changes, {fields}
            FROM staged_offer s {beside("LEFT JOIN") if based(run) else f"LEFT {PAIRS}"} WHERE s.run_id = %(run)s""",
            facts,
        )
        .fetchone()
    )
    assert row is not None
    return row


def beyond_limits(counts: dict[str, Any], policy: dict[str, Any]) -> list[str]:
    """Pure: the sentences for each guard rail that a plan breaks; none on a feed's first run."""
    before = counts["offered"]
    if not before:
        return []
    sentences = []
    if counts["staged"] * 100 < policy["min_offers_percent"] * before:
        sentences.append(
            f"The file has {counts['staged']} usable offers where there were {before}: fewer than {policy['min_offers_percent']} %."
        )
    if counts["price_changes"] * 100 > policy["max_price_changes_percent"] * before and before >= 10:
        sentences.append(
            f"{counts['price_changes']} of {before} offers change their price: more than {policy['max_price_changes_percent']} %."
        )
    lost = counts["to_zero"] + counts["gone"]
    if counts["sellable"] >= 10 and lost * 100 > policy["max_zero_stock_percent"] * counts["sellable"]:
        sentences.append(
            f"{lost} of {counts['sellable']} offers in stock would have none: more than {policy['max_zero_stock_percent']} %."
        )
    return sentences


def asks(counts: dict[str, Any], feed: Feed) -> list[str]:
    """Pure: what the hub must be told before these offers can be sold."""
    sentences = []
    if counts["without_cost"]:
        sentences.append(
            f"{counts['without_cost']} offers have no cost. Retail prices are not taken for cost: say what you ask of sellers,"
            f" `entrepot feed set {feed.id} --cost-from price --cost-minus 30`."
        )
    if counts["without_currency"]:
        sentences.append(f"The file names no currency: say it, `entrepot feed set {feed.id} --currency EUR`.")
    return sentences


def examples(
    cursor: Cursor[Any], run: FeedRun, scope: Scope, assumed: int, number: int = 10
) -> list[dict[str, Any]]:
    """A few of the changes, the greatest moves of price first: {"supplier_sku", "title", "fields": {name: [from, to]}}."""
    told = [name for name in ("cost", "price", "stock", "title") if name in scope.compared]
    moves = ", ".join(
        f"o.{name} AS old_{name}, {scope.sets[name]} AS new_{name}"
        if name in ("stock", "title")
        else f"o.{name}::text AS old_{name}, ({scope.sets[name]})::text AS new_{name}"
        for name in told
    )
    differs = "o.content_hash <> s.content_hash" if scope.whole else scope.differs
    rows = (
        dict_cursor(cursor)
        .execute(
            f"""SELECT s.supplier_sku, coalesce(s.title, o.title) AS title, {moves}
           FROM staged_offer s {beside("JOIN") if based(run) else PAIRS} WHERE s.run_id = %(run)s AND {differs}
           ORDER BY abs(coalesce(s.cost, s.price) / nullif(coalesce(o.cost, o.price), 0) - 1) DESC NULLS LAST, s.supplier_sku
           LIMIT %(number)s""",
            {
                "target": scope.target, "run": run.id, "number": number, "as_of": run.as_of, "assumed": assumed,
            },
        )
        .fetchall()
    )  # fmt: skip
    return [
        {
            "supplier_sku": row["supplier_sku"], "title": row["title"],
            "fields": {name: [row[f"old_{name}"], row[f"new_{name}"]] for name in told if row[f"old_{name}"] != row[f"new_{name}"]},
        }
        for row in rows
    ]  # fmt: skip


def dict_cursor(cursor: Cursor[Any]) -> Cursor[dict[str, Any]]:
    """A cursor on the same connection whose rows are dicts."""
    return cursor.connection.cursor(row_factory=dict_row)
