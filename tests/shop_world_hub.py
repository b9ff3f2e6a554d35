"""The hub of a property test: its database may die under a worker, its calls wait for nobody, and its callers may be killed."""

from collections.abc import Callable, Iterator
from typing import Any

from connectors.base import Unpaced
from core.database import Database
from core.unit_of_work import UnitOfWork

FEW = ("push", "set_stock", "withdraw", "everything", "holders", "variants")
"""A connector's methods that answer one by one."""
ONCE = ("report_shipment", "place", "cancel")
"""Those that answer once."""


class Killed(Exception):
    """Ours: the process ended here."""


class Mortal(Database):
    """A database that a killed process reaches no more."""

    dead = False

    def unit_of_work(self, *, last: bool = False) -> UnitOfWork:
        """None for the dead."""
        if self.dead:
            raise Killed
        return super().unit_of_work(last=last)


class Free(Unpaced):
    """No waiting; what is to be stored before each call is."""

    def __init__(self, db: Database, shop_id: int, *, before: Any = None, last: bool = False) -> None:
        self._before = before

    def take(self, cost: float) -> None:
        """Takes nothing."""
        if self._before is not None:
            self._before()


class Killer:
    """A connector whose caller is killed after a call and before its answer is stored, when `dies` says so."""

    def __init__(self, dies: Callable[[], None], connector: Any) -> None:
        self._dies, self._connector = dies, connector

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connector, name)
        return self._one_by_one(found) if name in FEW else self._once(found) if name in ONCE else found

    def _one_by_one(self, method: Any) -> Any:
        def call(*given: Any) -> Iterator[Any]:
            for answer in method(*given):
                self._dies()
                yield answer

        return call

    def _once(self, method: Any) -> Any:
        def call(*given: Any) -> Any:
            answer = method(*given)
            self._dies()
            return answer

        return call
