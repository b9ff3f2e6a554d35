"""A worker process: threads that run the steps of the map, on RabbitMQ where one is given, else on the table itself."""

import os
import signal
import sys
import threading
from collections.abc import Sequence

from dramatiq import Broker, Worker
from dramatiq.middleware import Middleware, TimeLimit
from dramatiq.middleware.threading import raise_thread_exception

from core import log
from core.broker.embedded import EmbeddedBroker
from core.broker.face import declare_actors
from core.broker.failures import Failures, Stopping
from core.broker.history import History
from core.broker.leases import Leases
from core.broker.rabbitmq import RabbitBroker
from core.broker.running import Runner
from core.database import Route, connect
from core.settings import Settings, load

LEASE = 60.0  # seconds a killed worker's messages wait for another
FINISH = 18.0  # seconds after SIGTERM until steps that still run are interrupted
GOODBYE = 6.0  # seconds they then have, before they are left behind

_log = log.logger("worker")


def work(
    settings: Settings, routes: Sequence[Route], *, lease: float = LEASE, finish: float = FINISH
) -> None:
    """Runs the steps of `routes` until SIGTERM or SIGINT; then finishes or gives back within 30 seconds.

    `lease` is in seconds; `finish` is how long running steps may go on before they are interrupted.
    """
    stop = _stop_on_signals()
    queues = {route.queue for route in routes}
    # A worker frozen inside a unit of work holds its message no longer than one frozen outside: a lease.
    database = connect(settings, routes, pool_size=settings.threads + len(queues) + 2, silence=lease)
    leases, history = Leases(database, lease), History(database)
    runner = Runner(database, leases, history)
    middleware: list[Middleware] = [Failures(database, leases, runner), TimeLimit()]
    broker: Broker
    if settings.amqp_url:
        broker = RabbitBroker(settings.amqp_url, settings.amqp_queue_type, leases, middleware)
    else:
        broker = embedded = EmbeddedBroker(database, leases, middleware)
        embedded.start()
    declare_actors(broker, runner, queues)
    broker.emit_after("process_boot")
    leases.start()
    history.start()
    worker = Worker(broker, worker_threads=settings.threads)
    worker.start()
    _log.info(
        "working", threads=settings.threads, queues=",".join(sorted(queues)), broker=type(broker).__name__
    )
    stop.wait()
    late = threading.Timer(finish, _interrupt, [runner])
    late.start()
    worker.stop(timeout=int((finish + GOODBYE) * 1000))
    late.cancel()
    leases.stop()
    history.stop()
    broker.close()
    database.close()
    _log.info("stopped")


def main(settings: Settings | None = None) -> int:
    """The process `python -m pipelines.worker`. Leaves at once when stopped: a thread that cannot be interrupted
    must not keep it, and what that thread holds falls due when its lease passes."""
    from pipelines.routes import ROUTES

    settings = settings or load()
    log.configure(settings.log_level)
    work(settings, ROUTES, lease=settings.lease_seconds)
    sys.stderr.flush()
    os._exit(0)


def _interrupt(runner: Runner) -> None:
    for thread in list(runner.threads):
        raise_thread_exception(thread, Stopping)  # type: ignore[no-untyped-call]


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


if __name__ == "__main__":
    main()
