"""The timetable: name, cron in UTC, and the function, which only emits."""

from datetime import UTC, datetime, timedelta

from cronsim import CronSim

from core.database import UnitOfWork
from models.events import FeedDue, VerifyDue
from models.shops import Shop
from models.suppliers import Feed
from schedules.slots import Job


def feeds_due(uow: UnitOfWork, slot: datetime) -> None:
    """Looks at every feed with a source of its own whose cron names this minute."""
    for feed in uow.session.query(Feed).filter(Feed.source["kind"].astext != "upload").order_by(Feed.id):
        if next(CronSim(feed.cron, slot - timedelta(minutes=1))) == slot:
            uow.emit(FeedDue(tenant=feed.supplier_id, lane=feed.lane, feed_id=feed.id))


def shops_verify(uow: UnitOfWork, slot: datetime) -> None:
    """Reads back every live shop: others change products there too."""
    for shop in uow.session.query(Shop).filter(Shop.live_since.is_not(None)).order_by(Shop.id):
        uow.emit(VerifyDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))


def history_trim(uow: UnitOfWork, slot: datetime) -> None:
    """Forgets step figures and claimed slots older than 14 days."""
    before = slot.astimezone(UTC) - timedelta(days=14)
    uow.cursor().execute("DELETE FROM step_run WHERE minute < %s", [before])
    uow.cursor().execute("DELETE FROM job_run WHERE slot < %s", [before])


JOBS = (
    Job("feeds_due", "* * * * *", feeds_due),
    Job("shops_verify", "17 * * * *", shops_verify),
    Job("history_trim", "41 3 * * *", history_trim),
)
