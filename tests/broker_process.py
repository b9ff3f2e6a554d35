"""The processes that work on the tests' own map: `python -m tests.broker_process worker|relay|stubborn`."""

import os
import signal
import sys
import threading

from core import log
from core.settings import load
from tests.broker_map import routes

LEASE = float(os.environ.get("TEST_LEASE", "2"))


def main(what: str) -> int:
    settings = load()
    log.configure(settings.log_level)
    if what == "worker":
        from pipelines.worker import work

        work(settings, routes(), lease=LEASE, finish=float(os.environ.get("TEST_FINISH", "18")))
        sys.stderr.flush()
        os._exit(0)
    if what == "stubborn":  # a process that cannot be asked to go
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        threading.Event().wait()
    from pipelines.relay import relay

    return relay(settings, routes(), lease=LEASE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
