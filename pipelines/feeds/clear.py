"""Empties a run's staging once nobody needs it: afterwards, so that the catalogue does not wait for it."""

from core.database import SET_SECONDS, Database
from models.events import ProductsMerged
from models.suppliers import FeedRun

ON_THE_WAY = ("landed", "staged", "waiting", "approved")
GREW = 10_000
"""New offers after which PostgreSQL looks at the catalogue anew: its own look comes up to a minute later."""
TABLES = ("staged_offer", "staged_unseen", "staged_shared", "staged_gone")


def clear(event: ProductsMerged, db: Database) -> None:
    """Deletes what was staged for a run that has come to its end."""
    with db.unit_of_work(last=True) as uow:
        uow.allow(SET_SECONDS)
        run = uow.session.get_one(FeedRun, event.run_id)
        if run.state in ON_THE_WAY:
            return
        for table in TABLES:
            uow.cursor().execute(f"DELETE FROM {table} WHERE run_id = %s", [event.run_id])
        if (run.plan or {}).get("new", 0) >= GREW:
            uow.cursor().execute("ANALYZE offer, variant, product")
