"""THE MAP: every event, the step it wakes and its queue. Nothing happens that is not in it.

    a supplier's file     FeedDue ─ land ─ FileLanded ─ read ─ FeedStaged ─ plan ─ RunApproved ─ apply ─ OffersChanged
    the catalogue         OffersChanged ─ match ─ OffersMatched ─ merge ─ ProductsMerged ─ fan_out ─ ListingsDue
    a seller's shop       ListingsDue ─ plan ─ PushDue ─ push ─ ListingsSent ─ verify

Queues are few, because each costs every worker two threads: `feeds` may parse for minutes, `catalogue` is set-based
SQL, `shops` waits for other people's servers.
"""

from core.database import on
from models.events import (
    FeedDue,
    FeedStaged,
    FileLanded,
    ListingsDue,
    ListingsSent,
    OffersChanged,
    OffersMatched,
    ProductsMerged,
    PushDue,
    RunApproved,
    VerifyDue,
)  # fmt: skip
from pipelines.catalogue.match import match
from pipelines.catalogue.merge import merge
from pipelines.feeds.apply import apply
from pipelines.feeds.land import land
from pipelines.feeds.plan import plan
from pipelines.feeds.read import read
from pipelines.listings.plan import fan_out, plan_listings
from pipelines.listings.push import push
from pipelines.listings.verify import verify

ROUTES = (
    on(FeedDue, land, queue="feeds", retries=3),
    on(FileLanded, read, queue="feeds", seconds=1150),
    on(FeedStaged, plan, queue="feeds", one_unit=True),
    on(RunApproved, apply, queue="feeds", one_unit=True),
    on(OffersChanged, match, queue="catalogue", one_unit=True),
    on(OffersMatched, merge, queue="catalogue", one_unit=True),
    on(ProductsMerged, fan_out, queue="catalogue", one_unit=True),
    on(ListingsDue, plan_listings, queue="catalogue", one_unit=True),
    on(PushDue, push, queue="shops", seconds=1150),
    on(ListingsSent, verify, queue="shops"),
    on(VerifyDue, verify, queue="shops", retries=3),
)
