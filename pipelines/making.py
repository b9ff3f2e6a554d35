"""What people ask the hub to make, by page, API or command line: companies, feeds, shops, selections, runs, pushes."""

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from connectors.base import LandedFile
from connectors.registry import SHOPS
from connectors.sources.archive import archive_stream, archived
from core.clock import now
from core.database import Database, UnitOfWork
from core.errors import Refused, Temporary, there_is
from core.settings import Settings
from models.companies import Company, find_company
from models.events import HooksDue, ListingsDue, PushUndoDue
from models.shops import Push, PushChange, Selection, Shop
from models.suppliers import Feed, FeedRun, find_feed
from pipelines.authority import keep_authority
from pipelines.connecting import AWAY, Opened, Wish, begin, keep, whole, woo_site
from pipelines.connecting import asked as asked_of
from pipelines.feeds.land import receive
from pipelines.feeds.uploads import own_name
from pipelines.listings.plan import share, start_push

Percent = Annotated[int, Field(ge=0, le=100)]
MOST = 1_000_000_000
"""Pieces, or per cent, of a policy: no list has more, and every reader of the number can hold it."""


class Cost(BaseModel):
    """The cost of an offer where the file has none: this amount of the record, less so many per cent."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    source: Literal["price", "rrp"] = Field(alias="from")
    minus_percent: Annotated[float, Field(ge=0, lt=100)] = 0


class Policy(BaseModel):
    """What models/staged.py's POLICY may be told otherwise. `of_feed` (id or name): whose offers a partial feed speaks of."""

    model_config = ConfigDict(extra="forbid")
    mode: Literal["full", "delta", "stock-only", "price-only"] | None = None
    of_feed: int | str | None = None
    absence: Literal["keep", "out_of_stock", "withdraw"] | None = None
    assumed_stock: Annotated[int, Field(ge=0, le=MOST)] | None = None
    min_offers_percent: Percent | None = None
    max_price_changes_percent: Annotated[int, Field(ge=0, le=MOST)] | None = None
    max_zero_stock_percent: Annotated[int, Field(ge=0, le=MOST)] | None = None
    cost: Cost | None = None


class NewFeed(BaseModel):
    """`supplier` by id, code or name. With `folder` the hub looks into that folder of its machine, else files are sent."""

    name: str = Field(max_length=100)
    supplier: str
    folder: str | None = None
    profile: str | None = Field(None, max_length=40)
    currency: str | None = None
    policy: Policy = Policy()


class FeedChange(BaseModel):
    """What is given replaces what was; a null of the policy goes back to what the hub takes where nothing is said."""

    model_config = ConfigDict(extra="forbid")
    currency: str | None = None
    policy: Policy = Policy()


class NewShop(BaseModel):
    """`seller` by id, code or name; `key` and `secret` are the shop's REST key. They are stored sealed, never shown."""

    name: str = Field(max_length=100)
    seller: str
    url: str = Field(max_length=500)
    key: str = Field(max_length=500, repr=False)
    secret: str = Field(max_length=500, repr=False)
    channel: str = "woocommerce"
    ca_file: str | None = Field(
        None,
        description="A file on the hub's machine: the authority of a shop with a certificate of its own.",
    )
    ca_pem: str | None = Field(None, description="The same as text, in PEM; the hub keeps it.")


class NewConnection(BaseModel):
    """A shop whose owner agrees on its own page; `seller` by id, code or name. No key is given."""

    name: str = Field(max_length=100)
    seller: str
    url: str = Field(max_length=500)
    channel: Literal["shopify", "woocommerce"]
    ca_file: str | None = Field(None, description=NewShop.model_fields["ca_file"].description)
    ca_pem: str | None = Field(None, description=NewShop.model_fields["ca_pem"].description)


class NewSelection(BaseModel):
    """Exactly one of `supplier` (id, code or name), `category` (a path and all below it) and `skus`."""

    margin_percent: Decimal = Field(ge=-90, le=10_000, decimal_places=2)
    supplier: str | None = None
    category: str | None = Field(None, max_length=1000)
    skus: list[str] | None = Field(None, max_length=10_000)


Asked = TypeVar("Asked", bound=BaseModel)


def asked_for(model: type[Asked], values: Mapping[str, object]) -> Asked:
    """A form's values as the API's value. Raises Refused naming the field at fault."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]).replace("_", " ")
        raise Refused(f"{name or 'the form'}: {first['msg']}.", rule="invalid") from None


def make_company(
    uow: UnitOfWork, kind: Literal["supplier", "seller"], name: str, code: str | None = None
) -> Company:
    """Takes a company in, or finds the same one. Raises Refused where the code cannot be or is another's."""
    name = " ".join(name.split())
    if not name or len(name) > 200:
        raise Refused("A company needs a name of at most 200 characters.", rule="name")
    code = (code or re.sub(r"[^A-Z0-9]", "", name.upper())[:12]).strip()
    if not re.fullmatch(r"[A-Z0-9]{1,24}", code):
        raise Refused(f"The code {code!r} will not do: give 1 to 24 capitals and digits.", rule="code")
    uow.cursor().execute(
        "INSERT INTO company (kind, code, name) VALUES (%s, %s, %s) ON CONFLICT (code) DO NOTHING",
        [kind, code, name],
    )
    there = uow.session.scalars(select(Company).where(Company.code == code)).one()
    if (there.kind, there.name) != (kind, name):
        raise Refused(f"The code {code} belongs to {there.kind} {there.name!r}: give another.", rule="code")
    return there


def make_feed(uow: UnitOfWork, asked: NewFeed, *, new_supplier: bool = False, again: bool = False) -> Feed:
    """Makes a feed; with `again` one of that name is changed. Else Refused where it is there, or no supplier is."""
    name = " ".join(asked.name.split())
    if not name:
        raise Refused("A feed needs a name: what does the supplier call this list?", rule="name")
    currency = currency_of(asked.currency)
    if not asked.supplier:
        raise Refused("A feed belongs to a supplier: choose one, or name a new one.", rule="missing")
    supplier = (
        make_company(uow, "supplier", asked.supplier)
        if new_supplier
        else find_company(uow.session, "supplier", asked.supplier)
    )
    if asked.folder and not Path(asked.folder).is_dir():
        raise Refused(f"{asked.folder} is not a folder on the hub's machine: make it first.", rule="folder")
    source = {"kind": "folder", "path": asked.folder} if asked.folder else {"kind": "upload"}
    feed = (
        uow.session.scalars(select(Feed).filter_by(supplier_id=supplier.id, name=name)).first()
        if again
        else None
    )
    feed = feed or Feed(supplier_id=supplier.id, name=name, policy={}, source=source)
    if asked.folder and feed.source != source:
        feed.source, feed.source_state, feed.secret = source, {}, None
    feed.profile, feed.currency = asked.profile, currency
    given = asked.policy.model_dump(exclude_none=True, by_alias=True)
    feed.policy = {**feed.policy, **of_one_feed(uow, supplier.id, feed.id, given)}
    taken = f"{supplier.name} has a feed {name!r} already: give this one another name."
    uow.session.add(feed)
    try:
        uow.session.flush()
    except IntegrityError:
        raise Refused(taken, rule="name") from None
    return feed


def change_feed(uow: UnitOfWork, feed_id: int, asked: FeedChange) -> Feed:
    """Changes what a feed says of itself; the next run follows it, and the same file is then read anew."""
    feed = there_is(uow.session.get(Feed, feed_id, with_for_update={"key_share": True}), f"Feed {feed_id}")
    if "currency" in asked.model_fields_set:
        feed.currency = currency_of(asked.currency)
    given = asked.policy.model_dump(exclude_unset=True, by_alias=True)
    merged = {**feed.policy, **of_one_feed(uow, feed.supplier_id, feed.id, given)}
    feed.policy = {name: value for name, value in merged.items() if value is not None}
    return feed


def of_one_feed(
    uow: UnitOfWork, supplier_id: int, feed_id: int | None, given: dict[str, Any]
) -> dict[str, Any]:
    """The policy with `of_feed` as a number. Raises Refused unless it is another feed of the supplier that has offers of its own."""
    if not given.get("of_feed"):
        return given
    other = find_feed(uow.session, str(given["of_feed"]))
    if other.supplier_id != supplier_id or other.id == feed_id:
        raise Refused(
            f"Feed {other.name!r} cannot be meant: name another feed of the same supplier.", rule="of_feed"
        )
    if other.policy.get("of_feed"):
        raise Refused(
            f"Feed {other.name!r} speaks of another feed's offers itself: name that one.", rule="of_feed"
        )
    return {**given, "of_feed": other.id}


def currency_of(text: str | None) -> str | None:
    """ "eur" → "EUR"; nothing → None. Raises Refused for anything but three letters."""
    if not text:
        return None
    if not re.fullmatch(r"[A-Za-z]{3}", text):
        raise Refused(f"{text!r} is no currency: give three letters, like EUR.", rule="currency_unknown")
    return text.upper()


def read_again(uow: UnitOfWork, settings: Settings, run_id: int) -> FeedRun:
    """A new run from the archived file of an earlier one, by the feed's present settings."""
    run = there_is(uow.session.get(FeedRun, run_id), f"Run {run_id}")
    file = archived(settings.archive, run.file_sha256)
    if not file.is_file():
        raise Refused(f"The file of run {run_id} is no longer in the archive: send it again.", rule="no_file")
    landed = LandedFile(path=file, name=run.file_name, bytes=run.file_bytes, sha256=run.file_sha256)
    return receive(uow, uow.session.get_one(Feed, run.feed_id), landed)


def take_in(db: Database, settings: Settings, feed_id: int, stream: BinaryIO, name: str) -> tuple[int, str]:
    """Archives a file that was sent and makes its run: its number and state. Raises Refused for an empty file."""
    with db.unit_of_work() as uow:
        there_is(uow.session.get(Feed, feed_id), f"Feed {feed_id}")
    landed = archived_stream(settings, stream, name)
    with db.unit_of_work() as uow:
        run = receive(uow, there_is(uow.session.get(Feed, feed_id), f"Feed {feed_id}"), landed)
        return run.id, run.state


def take_in_mended(db: Database, settings: Settings, run_id: int, stream: BinaryIO, name: str, actor: str) -> int:  # fmt: skip
    """The same for the mended rejects of an applied run, see feeds/replay.py."""
    from pipelines.feeds.replay import mend  # it reads mappings, whose imports take a second

    with db.unit_of_work() as uow:
        there_is(uow.session.get(FeedRun, run_id), f"Run {run_id}")
    landed = archived_stream(settings, stream, name)
    with db.unit_of_work() as uow:
        return mend(uow, run_id, landed, actor).id


def archived_stream(settings: Settings, stream: BinaryIO, name: str) -> LandedFile:
    """Archives a file that was sent. Raises Refused for an empty one."""
    try:
        landed = archive_stream(stream, settings.archive, own_name(name))
    except OSError as error:
        raise Temporary(
            f"The archive {settings.archive} cannot be written: {error.strerror or error}."
        ) from None
    if not landed.bytes:
        raise Refused("The file is empty: export it again, and look at it before sending.", rule="empty")
    return landed


def make_selection(uow: UnitOfWork, shop_id: int, asked: NewSelection) -> Selection:
    """Chooses products for a shop and has its listings planned. The same choice again changes its margin."""
    shop = there_is(uow.session.get(Shop, shop_id), f"Shop {shop_id}")
    skus = [sku.strip() for sku in asked.skus or () if sku.strip()]
    if sum(bool(choice) for choice in (asked.supplier, asked.category, skus)) != 1:
        raise Refused("Choose by exactly one of supplier, category or SKUs.", rule="usage")
    by: str = "list"
    what: dict[str, object] = {"skus": skus}
    if asked.supplier:
        by, what = "supplier", {"supplier": find_company(uow.session, "supplier", asked.supplier).id}
    elif asked.category:
        by, what = "category", {"category": asked.category.strip()}
    found = uow.session.scalars(select(Selection).filter_by(shop_id=shop.id, by=by, what=what)).first()
    selection = found or Selection(shop_id=shop.id, by=by, what=what, margin_percent=asked.margin_percent)
    selection.margin_percent = asked.margin_percent
    uow.session.add(selection)
    uow.session.flush()
    uow.emit(ListingsDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    return selection


def end_selection(uow: UnitOfWork, shop_id: int, selection_id: int) -> None:
    """Ends a selection; what no other one chooses leaves the sale with the next push."""
    shop = there_is(uow.session.get(Shop, shop_id), f"Shop {shop_id}")
    found = uow.session.get(Selection, selection_id)
    there_is(found if found and found.shop_id == shop.id else None, f"Selection {selection_id}")
    uow.session.delete(found)
    uow.emit(ListingsDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))


def connect_shop(db: Database, settings: Settings, asked: NewShop, *, new_seller: bool = False) -> int:
    """Asks a shop who it is and stores its key sealed; the shop's number. The same name of a seller replaces its key.

    Raises Misconfigured, in the shop owner's words, where address or key are wrong. No unit of work is open meanwhile.
    """
    if asked.channel not in SHOPS:
        raise Refused(
            f"There is no channel {asked.channel!r}; there are {', '.join(sorted(SHOPS))}.", rule="channel"
        )
    if not (asked.name.strip() and asked.url.strip() and asked.key and asked.secret and asked.seller):
        raise Refused(
            "A shop needs a seller, a name, its address, and its key with the secret.", rule="missing"
        )
    ca_file = authority_of(settings, asked)
    credentials = {"key": asked.key.strip(), "secret": asked.secret.strip(), "ca_file": ca_file}
    url = woo_site(settings, asked.url) if asked.channel == "woocommerce" else whole(asked.url)
    facts = asked_of(settings, asked.channel, url, credentials)
    with db.unit_of_work() as uow:
        seller = (
            make_company(uow, "seller", asked.seller)
            if new_seller
            else find_company(uow.session, "seller", asked.seller)
        )
        wish = Wish(seller.id, asked.channel, asked.name, url, ca_file)
        return keep(uow, settings, wish, Opened(facts, credentials)).id


def begin_connection(
    uow: UnitOfWork,
    settings: Settings,
    asked: NewConnection,
    *,
    new_seller: bool = False,
    session: bytes | None = None,
) -> str:
    """The page of the shop on which its owner agrees; see pipelines/connecting.py."""
    seller = (
        make_company(uow, "seller", asked.seller)
        if new_seller
        else find_company(uow.session, "seller", asked.seller)
    )
    wish = Wish(seller.id, asked.channel, asked.name, asked.url, authority_of(settings, asked))
    return begin(uow, settings, wish, session)


def authority_of(settings: Settings, asked: NewShop | NewConnection) -> str | None:
    """The file of the shop's own certificate authority. Raises Refused where it is not there, or is none."""
    if asked.ca_file and not Path(asked.ca_file).is_file():
        raise Refused(f"The certificate file {asked.ca_file} is not on the hub's machine.", rule="ca_file")
    return asked.ca_file or keep_authority(settings, asked.ca_pem)


def hold_shop(uow: UnitOfWork, shop_id: int, why: str) -> None:
    """From now on nothing but stock goes into the shop by itself, until a person lets a push go or releases it."""
    shop = there_is(uow.session.get(Shop, shop_id, with_for_update={"key_share": True}), f"Shop {shop_id}")
    why = " ".join(why.split())[:500]
    shop.held_why = why or "A person held it."


def release_shop(uow: UnitOfWork, shop_id: int) -> None:
    """The hub keeps the shop true by itself again: what differs follows."""
    shop = there_is(uow.session.get(Shop, shop_id, with_for_update={"key_share": True}), f"Shop {shop_id}")
    shop.held_why = None
    uow.emit(ListingsDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))


def undo_push(uow: UnitOfWork, shop_id: int, push_id: int) -> None:
    """Has the shop's listings put back as they were before a push. Raises Refused where there is nothing to put back."""
    shop = there_is(uow.session.get(Shop, shop_id, with_for_update={"key_share": True}), f"Shop {shop_id}")
    found = uow.session.get(Push, push_id)
    push = there_is(found if found and found.shop_id == shop.id else None, f"Push {push_id}")
    if push.state != "done":
        raise Refused(f"Push {push_id} is still {push.state}: wait for its end.", rule="state")
    if (
        uow.session.scalar(select(PushChange.listing_id).where(PushChange.push_id == push_id).limit(1))
        is None
    ):
        raise Refused(
            f"Push {push_id} changed nothing that could be put back, or is longer ago than the hub remembers.",
            rule="state",
        )
    uow.emit(PushUndoDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id, push_id=push_id))


def let_push(uow: UnitOfWork, shop_id: int) -> Push | None:
    """Lets a shop's present plan go, beyond its limits too; from its first push on the hub keeps the shop true by itself.

    None where nothing differs.
    """
    shop = there_is(uow.session.get(Shop, shop_id, with_for_update={"key_share": True}), f"Shop {shop_id}")
    if shop.problem in AWAY:
        raise Refused(f"Shop {shop.name!r} is not connected: connect it anew first.", rule="state")
    shop.held_why = None
    if shop.live_since is None:
        shop.live_since = now()
        uow.session.flush()
        share(uow, shop)
        uow.emit(HooksDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    return start_push(uow, shop, asked_by="operator", limit=False)
