"""`entrepot up`: starts the processes of a hub, starts one again that died, and stops all of them together."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType

from core.database import connect
from core.listening import free_to_listen
from core.settings import CHECKOUT, Settings

FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0  # seconds before a process that died is started again
STEADY = 60.0  # seconds after which a process counts as healthy
PATIENCE = 28.0  # seconds from SIGTERM to kill -9
LOOK = 0.1  # seconds between two looks at the children


@dataclass(frozen=True)
class Program:
    """One process: the name people see, the Python module it runs, and what it says when it is started."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    note: str = ""


def programs(settings: Settings) -> list[Program]:
    """What a hub with these settings consists of."""
    found = [Program("web", "web", note=f"http://{settings.listen}:{settings.port}/")]
    found += [
        Program(f"worker {number}", "pipelines.worker", note=f"{settings.threads} threads")
        for number in range(1, settings.workers + 1)
    ]
    found.append(Program("scheduler", "schedules"))
    if settings.amqp_url:
        found.append(Program("relay", "pipelines.relay", note="RabbitMQ"))
    return found


class _Child:
    """One program's present process, and when it may be started again."""

    def __init__(self, program: Program, settings: Settings) -> None:
        self.program = program
        self._environment = os.environ | {
            f"ENTREPOT_{name.upper()}": str(value) for name, value in settings.model_dump().items()
        }
        self.running: subprocess.Popen[bytes] | None = None
        self.again_at = 0.0
        self._wait = FIRST_WAIT
        self._began = 0.0

    def start(self) -> None:
        program = self.program
        # A session of its own: Ctrl-C reaches the supervisor alone, who then asks each child once.
        self.running = subprocess.Popen(
            [sys.executable, "-m", "cli.child", str(os.getpid()), program.module, *program.arguments],
            cwd=CHECKOUT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._began = time.monotonic()
        _say(program.name, f"started, pid {self.running.pid}" + (f", {program.note}" if program.note else ""))

    def died(self, code: int) -> None:
        if time.monotonic() - self._began > STEADY:
            self._wait = FIRST_WAIT
        how = f"killed by signal {-code}" if code < 0 else f"ended with {code}"
        _say(self.program.name, f"{how}, starts again in {self._wait:.0f} s")
        self.running = None
        self.again_at = time.monotonic() + self._wait
        self._wait = min(self._wait * 2, LONGEST_WAIT)


def up(settings: Settings, extra: Sequence[Program] = ()) -> int:
    """Runs until Ctrl-C or SIGTERM, then stops all children within 30 seconds; a second Ctrl-C kills them.

    Starts and migrates the embedded PostgreSQL first and holds it, so that it outlives each of its children.
    0: all ended by themselves; 1: some had to be killed. Raises what connect() raises, and Misconfigured where somebody
    listens at the console's address already.
    """
    free_to_listen(settings.listen, settings.port)
    database = connect(settings, (), pool_size=1)
    stopping, killing = threading.Event(), threading.Event()

    def asked(_number: int, _frame: FrameType | None) -> None:
        (killing if stopping.is_set() else stopping).set()

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    children = [_Child(program, settings) for program in (*programs(settings), *extra)]
    try:
        while not stopping.wait(LOOK):
            _tend(children)
        return _stop(children, killing)
    finally:
        for child in children:
            if child.running is not None and child.running.poll() is None:
                child.running.kill()
        for number, former in before.items():
            signal.signal(number, former)
        database.close()


def _tend(children: list[_Child]) -> None:
    for child in children:
        if child.running is not None and (code := child.running.poll()) is not None:
            child.died(code)
        if child.running is None and time.monotonic() >= child.again_at:
            child.start()


def _stop(children: list[_Child], killing: threading.Event) -> int:
    _say("hub", "stopping; Ctrl-C again kills")
    left = {child.program.name: child.running for child in children if child.running is not None}
    for running in left.values():
        running.terminate()
    deadline = time.monotonic() + PATIENCE
    while left and not killing.is_set() and time.monotonic() < deadline:
        killing.wait(LOOK / 2)
        for name, running in list(left.items()):
            if running.poll() is not None:
                _say(name, "stopped")
                del left[name]
    for name, running in left.items():
        running.kill()
        running.wait()
        _say(name, "killed")
    return 1 if left else 0


def _say(name: str, what: str) -> None:
    sys.stdout.write(f"{name:<10} {what}\n")
    sys.stdout.flush()
