"""THE MAP: every event, the step it wakes and its queue. Nothing happens that is not in it.

    a supplier's file     FeedDue ─ land ─ FileLanded ─ read ─ FeedStaged ─ plan ─ RunApproved
    the catalogue         RunApproved ─ begin ─ PieceDue ─ apply ─ PieceDue …, and after the last piece ProductsMerged ─ fan_out ─
                          ListingsDue; ProductsMerged ─ clear
    by hand               UndoDue ─ undo ─ RunUndone ─ remerge ─ ProductsMerged; OfferMoved ─ rejoin ─ ProductsMerged;
                          CategoryChosen ─ settle_chosen
    a seller's shop       ListingsDue ─ plan ─ PushDue ─ push ─ ListingsSent ─ verify; ListingsDue ─ plan ─ SharesMoved ─ follow ─ PushDue
    a push taken back     PushUndoDue ─ undo ─ PushDue
    what a shop noticed   ProductNoticed ─ verify_one ─ PushDue
    exchange rates        RatesDue ─ fetch ─ ListingsDue
    what it has already   AdoptionDue ─ plan_adoption
    a buyer's order       OrderNoticed ─ pull ┐                ┌ reserve ─ LinesFunded
                             OrdersDue ─ sweep ┴ OrderChanged ─┴ release ─ CancellationAsked, DepositCredited
    what waits            DepositCredited ─ resume, StockMoved ─ resume_stock: they reserve; StockMoved ─ restock ─ PushDue
    what is promised      DemandMoved ─ restock ─ PushDue
    what a shop moves     ShopStockMoved ─ resend ─ PushDue; OrdersDue ─ sweep ─ OrdersSwept ─ settle ─ SharesMoved
    what is bought        LinesFunded ─ purchase ─ PurchaseOrderMade ─ submit; CancellationAsked ─ ask_cancel
    what leaves           ShipmentReported ─ report_shipment
    the clock's payout    ShipmentReported ─ capture; MaturityDue ─ mature; SettlementApproved ─ pay;
                          BankStatementReceived ─ reconcile ─ DepositCredited
    a shop's calls        HooksDue ─ watch_hooks ─ OrdersDue

Queues are few, because each costs every worker two threads: `feeds` may parse for minutes, `catalogue` is set-based
SQL in pieces of a second, `shops` and `orders` wait for other people's servers, `money` moves stock and deposits in short units of work.
"""

from core.database import on
from models.events import (
    AdoptionDue,
    BankStatementReceived,
    CancellationAsked,
    CategoryChosen,
    DemandMoved,
    DepositCredited,
    FeedDue,
    FeedStaged,
    FileLanded,
    HooksDue,
    LinesFunded,
    ListingsDue,
    ListingsSent,
    MaturityDue,
    OfferMoved,
    OrderChanged,
    OrderNoticed,
    OrdersDue,
    OrdersSwept,
    PieceDue,
    ProductNoticed,
    ProductsMerged,
    PurchaseOrderMade,
    PushDue,
    PushUndoDue,
    RatesDue,
    RunApproved,
    RunUndone,
    SettlementApproved,
    SharesMoved,
    ShipmentReported,
    ShopStockMoved,
    StockMoved,
    UndoDue,
    VerifyDue,
)  # fmt: skip
from pipelines.catalogue.apply import apply
from pipelines.catalogue.begin import begin
from pipelines.catalogue.by_hand import rejoin, remerge
from pipelines.catalogue.taxonomy import settle_chosen
from pipelines.feeds.clear import clear
from pipelines.feeds.land import land
from pipelines.feeds.plan import plan
from pipelines.feeds.read import read
from pipelines.feeds.undo import undo
from pipelines.listings.look import plan_adoption
from pipelines.listings.plan import fan_out, plan_listings
from pipelines.listings.pricing.rates import fetch
from pipelines.listings.push import push
from pipelines.listings.restock import follow, resend, restock
from pipelines.listings.settle import settle
from pipelines.listings.undo import undo as undo_push
from pipelines.listings.verify import verify, verify_one
from pipelines.orders.cancel import ask_cancel
from pipelines.orders.pull import pull, sweep
from pipelines.orders.purchase import purchase
from pipelines.orders.release import release
from pipelines.orders.report import report_shipment
from pipelines.orders.reserve import reserve
from pipelines.orders.resume import resume, resume_stock
from pipelines.orders.submit import submit
from pipelines.orders.watch import watch_hooks
from pipelines.settlement.capture import capture
from pipelines.settlement.mature import mature
from pipelines.settlement.pay import pay
from pipelines.settlement.reconcile import reconcile

ROUTES = (
    on(FeedDue, land, queue="feeds", retries=3, seconds=1150),
    on(FileLanded, read, queue="feeds", seconds=1150),
    on(FeedStaged, plan, queue="feeds", one_unit=True),
    on(RunApproved, begin, queue="catalogue", one_unit=True),
    on(PieceDue, apply, queue="catalogue", one_unit=True),
    on(ProductsMerged, clear, queue="catalogue", one_unit=True),
    on(UndoDue, undo, queue="feeds", one_unit=True),
    on(RunUndone, remerge, queue="catalogue", one_unit=True),
    on(OfferMoved, rejoin, queue="catalogue", one_unit=True),
    on(CategoryChosen, settle_chosen, queue="catalogue", one_unit=True),
    on(ProductsMerged, fan_out, queue="catalogue", one_unit=True),
    on(ListingsDue, plan_listings, queue="catalogue"),
    on(SharesMoved, follow, queue="catalogue", one_unit=True),
    on(PushDue, push, queue="shops", seconds=1150),
    on(PushUndoDue, undo_push, queue="catalogue"),
    on(ListingsSent, verify, queue="shops"),
    on(VerifyDue, verify, queue="shops", retries=3),
    on(ProductNoticed, verify_one, queue="shops", retries=3),
    on(RatesDue, fetch, queue="shops", retries=3),
    on(AdoptionDue, plan_adoption, queue="shops", retries=3, seconds=1150),
    on(OrderNoticed, pull, queue="orders"),
    on(OrdersDue, sweep, queue="orders", retries=3, seconds=1150),
    on(HooksDue, watch_hooks, queue="orders", retries=3),
    on(OrderChanged, reserve, queue="money", one_unit=True),
    on(OrderChanged, release, queue="money", one_unit=True),
    on(DepositCredited, resume, queue="money"),
    on(StockMoved, resume_stock, queue="money"),
    on(ProductsMerged, resume_stock, queue="money"),
    on(LinesFunded, purchase, queue="money", one_unit=True),
    on(PurchaseOrderMade, submit, queue="orders"),
    on(CancellationAsked, ask_cancel, queue="orders"),
    on(ShipmentReported, report_shipment, queue="orders"),
    on(StockMoved, restock, queue="catalogue", one_unit=True),
    on(DemandMoved, restock, queue="catalogue", one_unit=True),
    on(ShopStockMoved, resend, queue="catalogue", one_unit=True),
    on(OrdersSwept, settle, queue="catalogue", one_unit=True),
    on(ShipmentReported, capture, queue="money", one_unit=True),
    on(MaturityDue, mature, queue="money", one_unit=True),
    on(SettlementApproved, pay, queue="money", one_unit=True),
    on(BankStatementReceived, reconcile, queue="money", one_unit=True),
)
