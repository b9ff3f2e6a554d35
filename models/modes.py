"""What a feed's file speaks of: whole offers, or only their stock or their prices, its own or another feed's."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from models.staged import COLUMNS, COMPARED, DIFFERS, FREE, STATED
from models.suppliers import Feed

STOCK = ("stock", "availability", "lead_time_days")
PRICES = ("cost", "price", "rrp", "currency")
PRICE_DETAILS = (
    "cost_basis", "cost_tiers", "map_price", "price_includes_tax", "tax_rate", "tax_category", "minimum", "step", "pack",
    "valid_from", "valid_to", "territory",
)  # fmt: skip
PARTIAL = ("stock-only", "price-only")
"""The modes of a file that tells one thing of offers there are: it makes none, and its silence means nothing."""

_PRICES_DIFFER = " OR ".join(
    f"s.{name} IS NOT NULL AND o.{name} IS DISTINCT FROM s.{name}" for name in PRICES
)
_PRICE_DETAILS = ", ".join(f"'{name}'" for name in PRICE_DETAILS)
_DETAILS = f"(SELECT jsonb_object_agg(key, value) FROM jsonb_each(s.details) WHERE key IN ({_PRICE_DETAILS}))"  # noqa: S608 - our own names
_STOCK_DIFFERS = f"""(s.stock IS NOT NULL OR s.availability IS NOT NULL) AND (
    o.stock IS DISTINCT FROM s.stock OR o.availability IS DISTINCT FROM s.availability
    OR s.lead_time_days IS NOT NULL AND o.lead_time_days IS DISTINCT FROM s.lead_time_days
    OR o.state = 'offered' AND (s.stock IS NULL OR o.free <> {STATED}) AND o.free <> {FREE})"""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a feed's runs may write. `target` is the feed whose offers they are.

    `differs` is SQL for whether staging `s` says something else than offer `o`; `sets` is column → SQL of its new value;
    `compared` the fields that are told of. `whole`: unknown offers are made. `stock`, `prices`: these are its to write.
    """

    target: int
    differs: str
    sets: dict[str, str]
    compared: tuple[str, ...]
    whole: bool
    stock: bool
    prices: bool


def mode_of(feed: Feed) -> str:
    """full | delta | stock-only | price-only."""
    return str(feed.policy.get("mode") or "full")


def target_of(feed: Feed) -> int:
    """The feed whose offers this one writes: itself, or for a partial one the feed that its policy names."""
    return int(feed.policy.get("of_feed") or feed.id) if mode_of(feed) in PARTIAL else feed.id


def scope_of(session: Session, feed: Feed) -> Scope:
    """What the feed's runs may write. What another feed of the supplier is there to tell is left alone: a content file
    that says nothing of stock must not empty the shelf."""
    mode = mode_of(feed)
    if mode == "stock-only":
        sets = {
            "stock": "s.stock", "availability": "s.availability", "lead_time_days": "coalesce(s.lead_time_days, o.lead_time_days)",
            "free": f"CASE WHEN o.state = 'offered' THEN {STATED} ELSE 0 END",
        }  # fmt: skip
        return Scope(target_of(feed), f"({_STOCK_DIFFERS})", sets, STOCK, False, True, False)
    if mode == "price-only":
        sets = {name: f"coalesce(s.{name}, o.{name})" for name in PRICES}
        sets["details"] = f"CASE WHEN s.details IS NULL THEN o.details ELSE coalesce(o.details, '{{}}') || coalesce({_DETAILS}, '{{}}') END"  # fmt: skip
        return Scope(target_of(feed), f"({_PRICES_DIFFER})", sets, PRICES, False, False, True)
    told = {mode_of(other) for other in others_of(session, feed)}
    stock, prices = "stock-only" not in told, "price-only" not in told
    left = {*(() if stock else STOCK), *(() if prices else PRICES)}
    sets = {name: f"s.{name}" for name in COLUMNS if name not in left}
    sets |= {"state": "'offered'", "feed_run_id": "%(run)s"} | ({"free": STATED} if stock else {})
    compared = tuple(name for name in COMPARED if name not in left)
    differs = DIFFERS if stock else "(o.content_hash <> s.content_hash OR o.state <> 'offered')"
    return Scope(feed.id, differs, sets, compared, True, stock, prices)


def others_of(session: Session, feed: Feed) -> list[Feed]:
    """The partial feeds that write the offers of this one."""
    of_it = session.query(Feed).filter(Feed.supplier_id == feed.supplier_id, Feed.id != feed.id)
    return [other for other in of_it if mode_of(other) in PARTIAL and target_of(other) == feed.id]
