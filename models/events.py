"""Every event: a committed fact, with ids only. pipelines/routes.py says which step each one wakes."""

from dataclasses import dataclass

from core.database import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedDue(Event):
    """The clock or a person asks to look whether a feed's source has a new file."""

    feed_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLanded(Event):
    """A file is in the archive and its run is made."""

    run_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStaged(Event):
    """Every record of a run is answered; what was accepted lies in staging."""

    run_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunApproved(Event):
    """A run's plan is within its limits, or a person let it pass."""

    run_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoDue(Event):
    """A person wants the offers back as they were before a run."""

    run_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUndone(Event):
    """The offers are as they were before a run; the catalogue still speaks of it in variants after number `after`."""

    run_id: int
    after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferMoved(Event):
    """A person gave an offer another variant than `variant_id` (0: it had none)."""

    offer_id: int
    variant_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryChosen(Event):
    """It was said what suppliers' category `path` means in the taxonomy."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceDue(Event):
    """A run's offers behind the place `after` are to go into the catalogue, up to `until` (0: to the end).

    `into_empty` is 1 where the feed had no offers when the run began: nothing needs to be compared. `alone` is 1 while
    nothing that it brings was found in the catalogue: then it need not be looked for.
    """

    run_id: int
    after: int
    until: int = 0
    into_empty: int = 0
    alone: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductsMerged(Event):
    """The catalogue shows a run's offers; shops may want other listings now.

    `whole` is 1 where more may have changed than what the run did: a person gave an offer another variant.
    """

    run_id: int
    whole: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingsDue(Event):
    """What a shop should hold may have changed: its selections, its rules, or the catalogue behind them.

    `run_id` says that only what this feed run changed can be concerned; 0: everything.
    """

    shop_id: int
    run_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SharesMoved(Event):
    """What a shop may show of scarce stock is another figure since another shop was planned, or orders were swept."""

    shop_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PushDue(Event):
    """A shop's listings differ from what was sent, and the push may go."""

    shop_id: int
    push_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingsSent(Event):
    """A push ended; what the shop holds is to be read back."""

    shop_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductNoticed(Event):
    """A shop said that one of its products changed; `external_id` is its own id, or that of a stock with `stock` 1."""

    shop_id: int
    external_id: str
    stock: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptionDue(Event):
    """A person wants to know which of a shop's own products are ours, so that they are adopted instead of doubled."""

    shop_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PushUndoDue(Event):
    """A person wants the shop back as it was before a push."""

    shop_id: int
    push_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RatesDue(Event):
    """The clock or a person asks for the day's exchange rates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyDue(Event):
    """The clock or a person asks to read back what a shop holds; with `repairs` 1 the drift is sent again by itself."""

    shop_id: int
    repairs: int = 0


# ---------------------------------------------------------------- way B: a buyer's order
@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNoticed(Event):
    """A shop said that one of its orders changed; `external_id` is its own number for it."""

    shop_id: int
    external_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersDue(Event):
    """The clock or a person asks for every order of a shop that changed since the last look."""

    shop_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersSwept(Event):
    """Everything a shop sold until then is taken over: what it can still sell is known better now."""

    shop_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HooksDue(Event):
    """The clock or a new connection asks whether a shop still calls us."""

    shop_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChanged(Event):
    """What a buyer wants of an order is other than what the hub covers: cover it, or let go."""

    order_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StockMoved(Event):
    """An offer's free stock changed by a reservation: shops show another figure, somebody may have waited for it."""

    offer_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandMoved(Event):
    """Buyers want more or less of a variant than before; whether it is set aside for them shows later."""

    variant_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopStockMoved(Event):
    """A shop moved a figure that we had sent: it puts back what is refunded or cancelled there, and is to be read."""

    shop_id: int
    variant_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositCredited(Event):
    """A seller's deposit grew: lines that wait for it may go on."""

    seller_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesFunded(Event):
    """Lines of an order have reservation and hold: they can be bought."""

    order_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseOrderMade(Event):
    """A purchase order is to reach its supplier."""

    purchase_order_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationAsked(Event):
    """A purchase order, or what is open of it, is to be cancelled at its supplier."""

    purchase_order_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentReported(Event):
    """Goods left a supplier, or a service is completed."""

    shipment_id: int


# ---------------------------------------------------------------- way C: the clock becomes a payout
@dataclass(frozen=True, slots=True, kw_only=True)
class MaturityDue(Event):
    """The clock asks which captured amounts have outlived their return window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementApproved(Event):
    """A locked settlement run may be paid: its payment file is to be made."""

    settlement_run_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BankStatementReceived(Event):
    """A bank statement's lines are stored and wait to be matched."""

    bank_statement_id: int
