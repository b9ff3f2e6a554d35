"""`entrepot shop`: sellers' shops, how to reach them, and whether they answer."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.output import AsJson, hub, narrow, said_of_undecided, show
from cli.waiting import given_up_since, last_dead_letter, quiet, until
from core.clock import now
from core.errors import Refused, Temporary
from core.settings import load
from models.events import VerifyDue
from models.shops import Shop, find_shop
from pipelines.connecting import disconnect
from pipelines.listings.undecided import waiting_for_word
from pipelines.making import (
    NewConnection,
    NewShop,
    asked_for,
    begin_connection,
    connect_shop,
    hold_shop,
    release_shop,
)
from pipelines.opening import connect
from web.queries.privacy import open_requests
from web.queries.shops import listing_states, unread_orders

app = typer.Typer(no_args_is_help=True, help="Shops: sellers' own stores, connected to the hub.")
ShopName = Annotated[str, typer.Argument(help="The shop's name or number.")]
Key = Annotated[
    str,
    typer.Option(
        envvar="ENTREPOT_SHOP_KEY", help="The REST key (ck_…) of WooCommerce, the access token of Shopify."
    ),
]
Secret = Annotated[
    str, typer.Option(envvar="ENTREPOT_SHOP_SECRET", help="Its secret (cs_…), the client secret of Shopify.")
]
CaFile = Annotated[
    Path | None, typer.Option(help="The certificate authority of a shop with a certificate of its own.")
]


@app.command("add")
def add(
    seller: Annotated[str, typer.Argument(help="The seller's name, code or number.")],
    name: Annotated[str, typer.Argument(help="What to call the shop.")],
    url: Annotated[str, typer.Option(help="The shop's address: https://shop.example")],
    key: Key,
    secret: Secret,
    ca_file: CaFile = None,
    channel: Annotated[str, typer.Option(help="The kind of shop: woocommerce or shopify.")] = "woocommerce",
    as_json: AsJson = False,
) -> None:
    """Connects a shop: asks it who it is first, and stores the key sealed. The same name again replaces the key."""
    wish = {"name": name, "seller": seller, "url": url, "key": key, "secret": secret, "channel": channel}
    asked = asked_for(NewShop, {**wish, "ca_file": str(ca_file.resolve()) if ca_file else None})
    with hub() as db:
        shop_id = connect_shop(db, load(), asked)
        with db.unit_of_work() as uow:
            answer = described(uow.session.get_one(Shop, shop_id))
    show(answer, as_json)


@app.command("connect")
def connect_on_its_page(
    seller: Annotated[str, typer.Argument(help="The seller's name, code or number.")],
    name: Annotated[str, typer.Argument(help="What to call the shop.")],
    url: Annotated[str, typer.Option(help="The shop's address; on Shopify NAME.myshopify.com.")],
    channel: Annotated[str, typer.Option(help="The kind of shop: woocommerce or shopify.")],
    ca_file: CaFile = None,
    as_json: AsJson = False,
) -> None:
    """Prints the address that the shop's owner opens to agree; whoever opens it connects his shop, once, within an hour."""
    wish = {"name": name, "seller": seller, "url": url, "channel": channel}
    asked = asked_for(NewConnection, {**wish, "ca_file": str(ca_file.resolve()) if ca_file else None})
    with hub() as db, db.unit_of_work() as uow:
        address = begin_connection(uow, load(), asked)
    show({"open": address}, as_json)


@app.command("disconnect")
def let_go(shop: ShopName, as_json: AsJson = False) -> None:
    """Forgets the shop's key: nothing goes there any more. Listings and orders stay; connecting it anew goes on."""
    with hub() as db, db.unit_of_work() as uow:
        answer = described(disconnect(uow, find_shop(uow.session, shop).id))
    show(answer, as_json)


@app.command("hold")
def hold(
    shop: ShopName,
    why: Annotated[str, typer.Option(help="What whoever looks at the shop is to read.")] = "",
    as_json: AsJson = False,
) -> None:
    """Nothing but stock goes into the shop by itself, until a person lets a push go or releases it."""
    with hub() as db, db.unit_of_work() as uow:
        found = find_shop(uow.session, shop)
        hold_shop(uow, found.id, why)
        answer = described(found)
    show(answer, as_json)


@app.command("release")
def release(shop: ShopName, as_json: AsJson = False) -> None:
    """The hub keeps the shop true by itself again; what differs follows."""
    with hub() as db, db.unit_of_work() as uow:
        found = find_shop(uow.session, shop)
        release_shop(uow, found.id)
        answer = described(found)
    show(answer, as_json)


@app.command("settings")
def settings(
    shop: ShopName,
    changes: Annotated[
        list[str] | None,
        typer.Argument(help="key=value …; key= goes back to the usual; lists and maps as JSON."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What the seller wants of the shop: texts by pattern, categories, stock to show, limits. Without changes it lists them."""
    from pipelines.listings.settings import change, settings_of

    with hub() as db, db.unit_of_work() as uow:
        found = find_shop(uow.session, shop)
        now_wanted = change(uow, found.id, settings_from(changes)) if changes else settings_of(found)
        answer = now_wanted.model_dump(mode="json")
    show(answer, as_json)


@app.command("list")
def list_shops(as_json: AsJson = False) -> None:
    """Every shop, and whether the hub keeps it true by itself."""
    with hub() as db, db.unit_of_work() as uow:
        rows = [described(shop) for shop in uow.session.query(Shop).order_by(Shop.id)]
    if not as_json:
        rows = [{**narrow([row], "id", "name", "channel", "currency")[0], **standing(row)} for row in rows]
    show({"shops": rows}, as_json)


@app.command("show")
def show_shop(shop: ShopName, as_json: AsJson = False) -> None:
    """One shop: how much of it is in step, when its orders were last swept whole, and what needs a person."""
    with hub() as db, db.unit_of_work() as uow:
        found = find_shop(uow.session, shop)
        unread = unread_orders(uow.session, found.id)
        asked = open_requests(uow.session, found.id)
        answer = {
            **described(found), "listings": listing_states(uow.session, found.id),
            "undecided": waiting_for_word(uow.cursor(), found.id), "checked_at": found.checked_at,
            "swept_at": found.swept_at, "orders_watermark": found.orders_watermark, "unread_orders": unread,
            "privacy_requests": narrow(asked, "id", "kind", "due_at"),
        }  # fmt: skip
        needs = [said_of(one) for one in unread]
        read = {
            **answer,
            "unread_orders": needs or None,
            "undecided": said_of_undecided(answer["undecided"], found.name),
        }
    show(answer if as_json else read, as_json)


@app.command("check")
def check(shop: ShopName, as_json: AsJson = False) -> None:
    """Asks the shop who it is, with the stored key, and says what is wrong in its owner's words."""
    with hub() as db:
        with db.unit_of_work() as uow:
            found = find_shop(uow.session, shop)
            uow.session.expunge_all()
        facts = connect(db, found).check()
        with db.unit_of_work() as uow:
            stored = uow.session.get_one(Shop, found.id)
            stored.facts, stored.currency, stored.problem, stored.checked_at = (
                asdict(facts),
                facts.currency,
                None,
                now(),
            )
    show(asdict(facts), as_json)


@app.command("verify")
def verify(shop: ShopName, as_json: AsJson = False) -> None:
    """Reads back everything the shop holds and counts the drift. Exit 1 where it could not be read."""
    with hub() as db:
        with db.unit_of_work() as uow:
            found = find_shop(uow.session, shop)
            uow.emit(VerifyDue(tenant=found.seller_id, lane=found.lane, shop_id=found.id))
            shop_id, lane, dead = found.id, found.lane, last_dead_letter(uow)
        until(db, lambda uow: quiet(uow, lane), f"reading back shop {shop_id}")
        with db.unit_of_work() as uow:
            rows = (
                uow.cursor()
                .execute("SELECT state, count(*) FROM listing WHERE shop_id = %s GROUP BY state", [shop_id])
                .fetchall()
            )
            states = dict(rows)
            problem = uow.session.get_one(Shop, shop_id).problem
            given_up = given_up_since(uow, lane, dead)
    show({"shop": shop_id, "states": states, "drift": states.get("drifted", 0), "problem": problem}, as_json)
    if given_up:
        raise Temporary(given_up)


def settings_from(changes: list[str]) -> dict[str, Any]:
    """ "buffer=2", "tags=[\"new\"]", "title_template=" → values by name. Raises Refused for a word without "="."""
    found: dict[str, Any] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise Refused(f"{change!r} is no setting: write it like buffer=2.", rule="usage")
        name = name.strip().replace("-", "_")
        found[name] = _value(name, value) if value else None
    return found


def _value(name: str, text: str) -> Any:
    """A pattern begins with a brace as well: only what is a list, a map or a yes is JSON."""
    if name not in ("tags", "categories", "prices_include_tax"):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Refused(f"{text!r} is no JSON: {error.msg}.", rule="usage") from None


def standing(row: dict[str, Any]) -> dict[str, Any]:
    """How a shop stands, in one word, and why where that is not well."""
    if row["problem"]:
        return {"state": "trouble", "why": row["problem"]}
    state = "held" if row["held_why"] else "live" if row["live_since"] else "not live yet"
    return {"state": state, "why": row["held_why"]}


def said_of(unread: dict[str, Any]) -> str:
    """What an order that cannot be read means and asks for, in one sentence after the problem itself."""
    return (
        f"Order {unread['number']}: {unread['problem']} No sweep counts as whole while it lasts: mend or delete the order in "
        f"the shop, then `entrepot dead-letter replay {unread['letter']}`."
    )


def described(shop: Shop) -> dict[str, Any]:
    """A shop as an answer, without its credentials."""
    return {
        "id": shop.id, "seller": shop.seller_id, "name": shop.name, "channel": shop.channel, "url": shop.url,
        "currency": shop.currency, "live_since": shop.live_since, "problem": shop.problem, "held_why": shop.held_why, "renews_at": shop.renews_at,
        "warnings": shop.facts.get("warnings", []),
    }  # fmt: skip
