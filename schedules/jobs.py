"""The timetable: name, cron in UTC, and the function, which only emits."""

from datetime import UTC, datetime, timedelta

from cronsim import CronSim
from sqlalchemy import select

from core.database import UnitOfWork
from core.settings import load
from models.events import FeedDue, HooksDue, ListingsDue, OrderChanged, OrdersDue, RatesDue, VerifyDue
from models.orders import Order, OrderLine, Reservation
from models.shops import Shop
from models.suppliers import Feed
from pipelines.feeds.uploads import drop_stale
from pipelines.listings import undo
from pipelines.orders.forget import forget_over
from pipelines.settlement import close, mature
from schedules.slots import Job


def feeds_due(uow: UnitOfWork, slot: datetime) -> None:
    """Looks at every feed with a source of its own whose cron names this minute.

    One that failed is left alone until its pause is over, and one that is asked already is not asked twice.
    """
    waiting = _asked(uow, "FeedDue", "feed_id")
    for feed in uow.session.query(Feed).filter(Feed.source["kind"].astext != "upload").order_by(Feed.id):
        due = next(CronSim(feed.cron, slot - timedelta(minutes=1))) == slot
        again_at = feed.source_state.get("again_at")
        if due and feed.id not in waiting and (not again_at or datetime.fromisoformat(again_at) <= slot):
            uow.emit(FeedDue(tenant=feed.supplier_id, lane=feed.lane, feed_id=feed.id))


def shops_verify(uow: UnitOfWork, slot: datetime) -> None:
    """Reads back every live shop, and repairs: others change products there too."""
    waiting = _asked(uow, "VerifyDue", "shop_id")
    for shop in _live(uow):
        if shop.id not in waiting:
            uow.emit(VerifyDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id, repairs=1))


def stocks_age(uow: UnitOfWork, slot: datetime) -> None:
    """Plans shops that show no stock older than so many hours: nothing else tells that a figure grew old."""
    waiting = _asked(uow, "ListingsDue", "shop_id")
    for shop in _live(uow):
        if shop.settings.get("stale_hours") and shop.id not in waiting:
            uow.emit(ListingsDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))


def orders_sweep(uow: UnitOfWork, slot: datetime) -> None:
    """Asks every live shop for what changed: no webhook is relied upon."""
    waiting = _asked(uow, "OrdersDue", "shop_id")
    for shop in _live(uow):
        if shop.id not in waiting:
            uow.emit(OrdersDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))


def hooks_watch(uow: UnitOfWork, slot: datetime) -> None:
    """Looks whether every live shop still calls us."""
    waiting = _asked(uow, "HooksDue", "shop_id")
    for shop in _live(uow):
        if shop.id not in waiting:
            uow.emit(HooksDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))


def reservations_expire(uow: UnitOfWork, slot: datetime) -> None:
    """Has every order looked at whose stock is set aside without a hold for longer than it may."""
    orders = uow.session.query(Order).filter(
        Order.id.in_(
            select(OrderLine.order_id)
            .join(Reservation, Reservation.line_id == OrderLine.id)
            .where(Reservation.expires_at <= slot, Reservation.quantity > 0)
        )
    )
    for order in orders.order_by(Order.id):
        uow.emit(OrderChanged(tenant=order.seller_id, lane=order.lane, order_id=order.id))


def rates_daily(uow: UnitOfWork, slot: datetime) -> None:
    """Fetches the day's exchange rates, where the operator says from where."""
    if load().rates_url:
        uow.emit(RatesDue(tenant=1, lane="rates"))


def maturity(uow: UnitOfWork, slot: datetime) -> None:
    """Looks which captured money has outlived its return window."""
    mature.ring(uow)


def settlement_draft(uow: UnitOfWork, slot: datetime) -> None:
    """Drafts the week's settlement run for a person to lock and approve, unless one is open."""
    close.draft_if_none(uow)


def buyers_forget(uow: UnitOfWork, slot: datetime) -> None:
    """Removes buyers' names and addresses from orders that ended long ago."""
    forget_over(uow, slot.astimezone(UTC))


def uploads_trim(uow: UnitOfWork, slot: datetime) -> None:
    """Gives up files sent in pieces that nobody has gone on with for two days."""
    drop_stale(uow, load(), slot.astimezone(UTC) - timedelta(days=2))


def history_trim(uow: UnitOfWork, slot: datetime) -> None:
    """Forgets step figures and claimed slots older than 14 days, and the way back of pushes after its own time."""
    before = slot.astimezone(UTC) - timedelta(days=14)
    uow.cursor().execute("DELETE FROM step_run WHERE minute < %s", [before])
    uow.cursor().execute("DELETE FROM job_run WHERE slot < %s", [before])
    uow.cursor().execute(undo.TRIM, {"before": slot.astimezone(UTC) - timedelta(days=undo.KEPT_DAYS)})


JOBS = (
    Job("feeds_due", "* * * * *", feeds_due),
    Job("shops_verify", "17 * * * *", shops_verify),
    Job("stocks_age", "7 * * * *", stocks_age),
    Job("orders_sweep", "* * * * *", orders_sweep),
    Job("hooks_watch", "29 * * * *", hooks_watch),
    Job("reservations_expire", "*/5 * * * *", reservations_expire),
    Job("rates_daily", "20 16 * * *", rates_daily),
    Job("maturity", "23 * * * *", maturity),
    Job("settlement_draft", "11 4 * * MON", settlement_draft),
    Job("buyers_forget", "47 * * * *", buyers_forget),
    Job("uploads_trim", "37 * * * *", uploads_trim),
    Job("history_trim", "41 3 * * *", history_trim),
)


def _live(uow: UnitOfWork) -> list[Shop]:
    return uow.session.query(Shop).filter(Shop.live_since.is_not(None)).order_by(Shop.id).all()


def _asked(uow: UnitOfWork, event: str, key: str) -> set[int]:
    """Whom the last question still waits for: while no worker runs, the clock must not pile up more of them."""
    rows = uow.cursor().execute("SELECT (payload->>%s)::int FROM message WHERE event = %s", [key, event])
    return {number for (number,) in rows.fetchall()}
