"""What happens to a message whose step failed: another try later, or a dead letter. Stands in for dramatiq's Retries."""

import random
import traceback
from collections.abc import Callable
from typing import Any

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import Middleware, TimeLimitExceeded
from dramatiq.middleware.threading import Interrupt

from core import log
from core.broker import messages
from core.broker.leases import Leases
from core.broker.running import Delivery, Runner
from core.database import Database
from core.errors import Permanent, Temporary, Unknown

FIRST, CEILING = 4.0, 900.0  # seconds: the widest first wait, and the widest of all
LONGEST_WISH = 86_400.0  # seconds: another side's Retry-After is honoured up to a day
LONGEST_TRACE = 20_000  # characters

_log = log.logger("worker")


class Stopping(Interrupt):
    """Raised inside a step that is still running when its worker has to go."""


def delay_after(
    error: BaseException, attempts: int, retries: int, chance: Callable[[], float] = random.random
) -> float | None:
    """Seconds until the next try after the `attempts`-th run failed; None where the message is given up.

    Full jitter: evenly between nothing and a bound that doubles (4 s, 8 s, … 15 min), so that those who failed
    together do not come back together. A Temporary's own retry_after is the least; one that is no attempt is never
    given up.
    """
    counts = not isinstance(error, Temporary) or error.counts
    if isinstance(error, Permanent) or (counts and attempts > retries):
        return None
    delay: float = chance() * min(CEILING, FIRST * 2.0 ** (attempts - 1))
    if isinstance(error, Temporary) and error.retry_after is not None:
        delay = max(delay, min(error.retry_after, LONGEST_WISH))
    return delay


class Failures(Middleware):
    """First among the middleware: after-hooks run in reverse, so the timer is disarmed before this one writes."""

    def __init__(self, database: Database, leases: Leases, runner: Runner) -> None:
        self._database = database
        self._leases = leases
        self._runner = runner

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        """Dramatiq acknowledges the message after this, however it ended: from here on only the row counts."""
        delivery = self._runner.ended(failed=exception is not None)
        try:
            if exception is not None:
                self._fail(delivery, exception)
        except (Temporary, Unknown) as error:
            _log.warning(
                "failure not recorded, the lease will pass", message=message.args[0], error=str(error)
            )
        finally:
            self._leases.drop(message.args[0], delivery.fence if delivery else message.args[1])

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        """Nothing skips our messages; should some middleware do so, the lease passes and it comes again."""
        self._leases.drop(message.args[0], message.args[1])

    def _fail(self, delivery: Delivery | None, error: BaseException) -> None:
        if delivery is None or delivery.claimed is None:
            _log.warning(
                "a message could not be begun", message=delivery and delivery.id, error=_sentence(error)
            )
            return
        found, entry = delivery.claimed, {"step": delivery.claimed.step, "message": delivery.id}
        if isinstance(error, Stopping):
            messages.give_back(self._database, [(delivery.id, delivery.fence)])
            _log.info("given back", **entry)
            return
        sentence = log.masked(_sentence(error))
        retries = delivery.route.retries if delivery.route else 8
        delay = delay_after(error, found.attempts, retries)
        if delay is not None:
            counted = found.attempts - (isinstance(error, Temporary) and not error.counts)
            if messages.postpone(self._database, delivery.id, delivery.fence, counted, sentence, delay):
                _log.warning(
                    "step failed", **entry, attempts=found.attempts, again_in=round(delay, 1), error=sentence
                )
            return
        trace = log.masked("".join(traceback.format_exception(error)))[-LONGEST_TRACE:]
        if messages.bury(self._database, delivery.id, delivery.fence, found.attempts, sentence, trace):
            _log.error("step gave up", **entry, attempts=found.attempts, error=sentence)


def _sentence(error: BaseException) -> str:
    if isinstance(error, TimeLimitExceeded):
        return "The step ran longer than its time limit and was interrupted."
    text = str(error).strip()
    return text if isinstance(error, Temporary | Unknown | Permanent) else f"{type(error).__name__}: {text}"
