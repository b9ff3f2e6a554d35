"""Where a settlement run stands, by what became of its payouts."""

from collections.abc import Iterable

from core.database import UnitOfWork
from models.settlement import Payout, SettlementRun


def state_of(payouts: Iterable[str]) -> str:
    """Exported while the bank owes its word on one; then confirmed, or partly where one came back or was refused."""
    states = set(payouts)
    if "exported" in states:
        return "exported"
    return "partly" if states & {"returned", "rejected"} else "confirmed"


def settle_run(uow: UnitOfWork, run_id: int | None) -> None:
    """Brings a run that is exported or later to where its payouts say. A closed one stays closed."""
    run = uow.session.query(SettlementRun).filter_by(id=run_id).with_for_update(key_share=True).one_or_none()
    if run is not None and run.state in ("exported", "confirmed", "partly"):
        uow.session.flush()
        run.state = state_of(state for (state,) in uow.session.query(Payout.state).filter_by(run_id=run_id))
