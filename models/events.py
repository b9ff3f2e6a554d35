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
class OffersChanged(Event):
    """A run wrote its differences into a supplier's offers."""

    run_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OffersMatched(Event):
    """Every offer of a run has its variant."""

    run_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductsMerged(Event):
    """The catalogue shows a run's offers; shops may want other listings now."""

    run_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingsDue(Event):
    """What a shop should hold may have changed: its selections, or the catalogue behind them."""

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
class VerifyDue(Event):
    """The clock or a person asks to read back what a shop holds."""

    shop_id: int
