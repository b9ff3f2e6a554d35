"""`entrepot adoption`: takes over what a shop has already instead of doubling it; the plan first, then a person decides."""

import shlex
from typing import Annotated, Any, Literal

import typer

from cli.output import AsJson, hub, known, narrow, show
from cli.waiting import given_up_since, last_dead_letter, quiet, until
from core.database import UnitOfWork
from core.errors import Refused, Temporary
from models.events import AdoptionDue
from models.shops import ADOPTION_STATES, Shop, find_shop
from pipelines.listings.adopt import adopt, leave
from pipelines.listings.pages import PageChange, change_page, plan_page
from web.plans import held_by
from web.queries.adoption import adoption_states, first_matches, not_found

app = typer.Typer(no_args_is_help=True, help="Adoption: products that a shop has already become ours.")
ShopName = Annotated[str, typer.Argument(help="The shop's name or number.")]
Chosen = Annotated[
    list[str] | None, typer.Argument(help="The shop's own ids, as `adoption list` shows them; or --all.")
]
All = Annotated[bool, typer.Option("--all", help="Everything that is proposed.")]


@app.command("plan")
def plan(shop: ShopName, as_json: AsJson = False) -> None:
    """Reads what the shop sells and finds what of it is ours, by SKU, else by GTIN. Changes nothing there."""
    with hub() as db:
        with db.unit_of_work() as uow:
            found = find_shop(uow.session, shop)
            uow.emit(AdoptionDue(tenant=found.seller_id, lane=found.lane, shop_id=found.id))
            shop_id, lane, dead = found.id, found.lane, last_dead_letter(uow)
        until(db, lambda uow: quiet(uow, lane), f"reading what shop {shop_id} sells")
        with db.unit_of_work() as uow:
            given_up = given_up_since(uow, lane, dead)
            answer = {"shop": shop_id, "states": adoption_states(uow.session, shop_id)}
    if given_up:
        raise Temporary(given_up)
    show(answer, as_json)


@app.command("list")
def list_matches(
    shop: ShopName,
    state: Annotated[str | None, typer.Option(help="proposed, unclear, adopted or left.")] = None,
    as_json: AsJson = False,
) -> None:
    """What was found in the shop and which of ours it is, at most 1,000 of them; those that need a look first."""
    known(state, ADOPTION_STATES, "state")
    with hub() as db, db.unit_of_work() as uow:
        found = find_shop(uow.session, shop)
        states = adoption_states(uow.session, found.id)
        rows = [
            {
                "id": row["external_id"], "state": row["state"], "there": row["seen"]["title"], "their_sku": row["seen"]["sku"],
                "our_sku": row["sku"], "reason": row["reason"], "problem": row["problem"],
            }
            for row in first_matches(uow.session, found.id, state)
        ]  # fmt: skip
    shown = rows if as_json else narrow(rows, "id", "state", "there", "our_sku", "reason", "problem")
    show({"shop": found.id, "states": states, "matches": shown}, as_json)


@app.command("apply")
def apply(
    shop: ShopName,
    chosen: Chosen = None,
    everything: All = False,
    ours: Annotated[
        bool,
        typer.Option("--ours", help="The page becomes ours too; else only price and stock are kept true."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Takes them over: the next push sets price and stock on them, and with --ours the whole page."""
    with hub() as db, db.unit_of_work() as uow:
        found = find_shop(uow.session, shop)
        which = _which(uow, found.id, chosen, everything)
        answer: dict[str, Any] = {
            "shop": found.id,
            **adopt(uow, found.id, which, "ours" if ours else "stays"),
        }
        answer |= {"limits": held_by(uow, found), "next": what_follows(uow, found, answer["adopted"])}
    show(answer, as_json)


@app.command("leave")
def let_be(shop: ShopName, chosen: Chosen = None, everything: All = False, as_json: AsJson = False) -> None:
    """Notes that these are none of ours. A push then makes our own beside them, where the shop lets it."""
    with hub() as db, db.unit_of_work() as uow:
        found = find_shop(uow.session, shop)
        answer = {"shop": found.id, "left": leave(uow, found.id, _which(uow, found.id, chosen, everything))}
    show(answer, as_json)


@app.command("page")
def page(
    shop: ShopName,
    product: Annotated[str, typer.Argument(help="The shop's own id of the product, or of a variant of it.")],
    becomes: Annotated[
        Literal["ours", "stays"],
        typer.Argument(
            help="ours: the hub keeps the whole page; stays: only price and stock, the rest is its owner's."
        ),
    ],
    plan: Annotated[bool, typer.Option("--plan", help="Only show what would change.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Change it; the next push follows it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Changes whose the page of an adopted product is. Look at the plan first: what becomes ours is written over."""
    if plan == apply:
        raise Refused(
            "Say one of --plan or --apply: entrepot adoption page SHOP ID ours --plan.", rule="usage"
        )
    with hub() as db:
        with db.unit_of_work() as uow:
            shop_id = find_shop(uow.session, shop).id
        change: PageChange = (change_page if apply else plan_page)(db, shop_id, product, becomes)
    show({"shop": shop_id, "changed": apply, **change.answer}, as_json)


def what_follows(uow: UnitOfWork, shop: Shop, adopted: int) -> str | None:
    """What comes after an adoption, in one sentence; None where nothing was adopted."""
    name = shlex.quote(shop.name)
    if not adopted:
        return None
    if shop.live_since is None:
        return f"Nothing goes into the shop before its first push: `entrepot push {name} --plan`."
    if held_by(uow, shop):
        return f"The push waits for a person, stock goes all the same: `entrepot push {name} --plan`, then --apply."
    return "The next push sets it by itself."


def _which(uow: UnitOfWork, shop_id: int, chosen: list[str] | None, everything: bool) -> list[str] | None:
    if bool(chosen) == everything:
        raise Refused("Name what you choose by the shop's ids, or say --all.", rule="usage")
    if chosen and (missing := not_found(uow.session, shop_id, chosen)):
        raise Refused(
            f"Nothing of the shop's that was found has the id {', '.join(missing[:5])}: `entrepot adoption list` shows them.",
            rule="not_found",
        )
    return chosen or None
