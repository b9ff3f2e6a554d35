"""`entrepot listing` and `entrepot push`: what a shop should hold, holds, and would be sent."""

from typing import Annotated, Any

import typer
from sqlalchemy import func

from cli.output import GREATEST, AsJson, hub, rows_of, said_of_undecided, show
from cli.waiting import given_up_since, last_dead_letter, quiet, until
from core.errors import Misconfigured, Refused, Temporary, there_is
from models.catalogue import Variant
from models.shops import LISTING_STATES, Listing, Push, Shop, ShopProduct, find_shop
from pipelines.listings.draft import drift
from pipelines.listings.guard import reasons_to_wait
from pipelines.listings.plan import counts, differences
from pipelines.listings.undecided import waiting_for_word
from pipelines.making import let_push, undo_push
from web.queries.undecided import UNDECIDED

app = typer.Typer(no_args_is_help=True, help="Listings: variants in shops, as wanted, as sent, as read back.")
ShopName = Annotated[str, typer.Argument(help="The shop's name or number.")]


@app.command("list")
def list_listings(
    shop: ShopName,
    state: Annotated[
        str | None, typer.Option(help="Only those in this state: " + ", ".join(LISTING_STATES))
    ] = None,
    limit: Annotated[
        int, typer.Option(min=0, max=GREATEST, help="At most so many; the counts are of all.")
    ] = 50,
    as_json: AsJson = False,
) -> None:
    """A shop's listings, with the count of each state and the drift."""
    if state is not None and state not in LISTING_STATES:
        raise Refused(f"There is no state {state!r}; there are {', '.join(LISTING_STATES)}.", rule="usage")
    with hub() as db, db.unit_of_work() as uow:
        found = find_shop(uow.session, shop)
        mine = uow.session.query(Listing).filter(Listing.shop_id == found.id)
        states = dict(mine.with_entities(Listing.state, func.count()).group_by(Listing.state).all())
        query = (
            mine.join(Variant, Variant.id == Listing.variant_id)
            .join(ShopProduct, (ShopProduct.shop_id == Listing.shop_id) & (ShopProduct.product_id == Listing.product_id), isouter=True)
            .with_entities(
                Listing.id, Variant.sku, Variant.title, Listing.state, Listing.wanted, Listing.sent, Listing.seen,
                Listing.external_id, Listing.problem, Listing.why, ShopProduct.sent["title"].astext.label("sent_title"),
            )
        )  # fmt: skip
        rows = rows_of(
            (query.filter(Listing.state == state) if state else query).order_by(Listing.id).limit(limit)
        )
    for row in rows:
        title = row.pop("sent_title")
        row["drift"] = drift(title, row["sent"], row["seen"]) if row["state"] == "drifted" else []
        if not as_json:
            for name in ("wanted", "sent", "seen", "why"):
                row.pop(name)
    show(
        {
            "states": states,
            "drift": states.get("drifted", 0),
            "live": states.get("live", 0),
            "listings": rows,
        },
        as_json,
    )


def push(
    shop: Annotated[
        str, typer.Argument(help="The shop's name or number; or `undo` with the number of a push.")
    ],
    number: Annotated[
        int | None, typer.Argument(min=1, max=GREATEST, help="With `undo`: the push to take back.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only show what would be sent.")] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Send it; from then on the hub keeps the shop true by itself.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait until the shop was read back.")] = True,
    as_json: AsJson = False,
) -> None:
    """Shows or sends what differs between a shop and what is wanted there; `entrepot push undo 12` takes a push back."""
    if shop == "undo" and number is not None:
        take_back(number, wait=wait, as_json=as_json)
        return
    if plan == apply or number is not None:
        raise Refused("Say one of --plan or --apply: entrepot push SHOP --plan.", rule="usage")
    with hub() as db:
        if plan:
            with db.unit_of_work() as uow:
                found = find_shop(uow.session, shop)
                answer = planned(found, uow)
                waits, refused = answer["undecided"], answer["refused"]
                told = {
                    "undecided": said_of_undecided(waits, found.name),
                    "refused": said_of_refused(refused),
                }
            show(answer if as_json else {**answer, **told}, as_json)
            return
        with db.unit_of_work() as uow:
            found = find_shop(uow.session, shop)
            shop_id, name, lane, dead = found.id, found.name, found.lane, last_dead_letter(uow)
            started = let_push(uow, shop_id)
            push_id = started.id if started else None
        if push_id is not None and wait:
            until(db, lambda uow: quiet(uow, lane), f"pushing to shop {shop_id}")
        with db.unit_of_work() as uow:
            ended = uow.session.get(Push, push_id) if push_id is not None else None
            waits = waiting_for_word(uow.cursor(), shop_id)
            show(
                {"push": push_id, "state": ended.state if ended else "done", "plan": ended.plan if ended else None,
                 "outcome": ended.outcome if ended else None, "states": states_of(uow, shop_id),
                 "undecided": waits if as_json else said_of_undecided(waits, name)},
                as_json,
            )  # fmt: skip
            problem = (ended.outcome or {}).get("problem") if ended else None
            given_up = given_up_since(uow, lane, dead)
        if problem:
            raise Misconfigured(problem)
        if given_up:
            raise Temporary(given_up)


def take_back(push_id: int, *, wait: bool, as_json: bool) -> None:
    """Puts a shop back as it was before a push, its stock aside; nothing more goes in by itself until a person lets it."""
    with hub() as db:
        with db.unit_of_work() as uow:
            taken = there_is(uow.session.get(Push, push_id), f"Push {push_id}")
            shop = uow.session.get_one(Shop, taken.shop_id)
            lane, dead = shop.lane, last_dead_letter(uow)
            undo_push(uow, shop.id, push_id)
        if wait:
            until(db, lambda uow: quiet(uow, lane), f"taking back push {push_id}")
        with db.unit_of_work() as uow:
            ended = uow.session.query(Push).filter(Push.undoes == push_id).first()
            show(
                {"push": ended.id if ended else None, "undoes": push_id, "state": ended.state if ended else "waiting",
                 "plan": ended.plan if ended else None, "outcome": ended.outcome if ended else None,
                 "held_why": uow.session.get_one(Shop, taken.shop_id).held_why},
                as_json,
            )  # fmt: skip
            given_up = given_up_since(uow, lane, dead)
        if given_up:
            raise Temporary(given_up)


def planned(shop: Shop, uow: Any) -> dict[str, Any]:
    """The plan as an answer: counts first, then each difference, withdrawals and creations before the usual."""
    rows = differences(uow.cursor(), shop.id)
    numbers = counts(rows)
    order = ("withdraw", "create", "update", "stock")
    changes = [
        {
            "difference": row["difference"],
            "sku": (row["wanted"] or row["sent"] or {}).get("sku"),
            "title": row["title"],
            "fields": changed(row),
        }
        for row in sorted(rows, key=lambda row: order.index(row["difference"]))
    ]
    blocked = uow.session.query(Listing.problem, func.count().label("listings")).filter(
        Listing.shop_id == shop.id, Listing.state.in_(("blocked", "refused")) | UNDECIDED
    )
    return {
        "shop": shop.id, **numbers, "limits": reasons_to_wait(uow, shop, numbers),
        "undecided": waiting_for_word(uow.cursor(), shop.id), "refused": states_of(uow, shop.id).get("refused", 0),
        "blocked": rows_of(blocked.group_by(Listing.problem)), "changes": changes,
    }  # fmt: skip


def said_of_refused(number: int) -> int | str:
    """How many the shop refused, as a person reads it: his push tries them again, the hub's own does not."""
    return f"{number:,} that the shop refused {'is' if number == 1 else 'are'} tried again." if number else 0


def changed(row: dict[str, Any]) -> dict[str, list[Any]]:
    """Each field that differs: from → to."""
    wanted, sent = row["wanted"] or {}, row["sent"] or {}
    if row["difference"] in ("create", "withdraw"):
        return {}
    return {name: [sent.get(name), value] for name, value in wanted.items() if sent.get(name) != value}


def states_of(uow: Any, shop_id: int) -> dict[str, int]:
    """How many listings of the shop are in each state."""
    return dict(
        uow.session.query(Listing.state, func.count())
        .filter(Listing.shop_id == shop_id)
        .group_by(Listing.state)
        .all()
    )
