"""The supervisor with real children: one that dies comes back, all go together, none outlives it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from core.errors import Misconfigured
from core.listening import free_to_listen

CHECKOUT = Path(__file__).resolve().parents[2]
START = """
import sys
from cli.up import Program, up
from core.settings import load
extra = [Program(name, "tests.broker_process", (name,)) for name in sys.argv[1:]]
sys.exit(up(load(), extra))
"""


class Hub:
    """A supervisor whose words are read as they come."""

    def __init__(self, database_url: str, folder: Path, *extra: str) -> None:
        self.said: list[str] = []
        self.running = subprocess.Popen(
            [sys.executable, "-c", START, *extra],
            cwd=CHECKOUT,
            env=os.environ
            | {
                "ENTREPOT_DATABASE_URL": database_url,
                "ENTREPOT_DATA": str(folder),
                "ENTREPOT_PORT": "0",
                "ENTREPOT_WORKERS": "2",
                "ENTREPOT_THREADS": "2",
            },
            stdout=subprocess.PIPE,
            text=True,
        )

    def hears(self, pattern: str) -> re.Match[str]:
        """The first line from here on that matches; fails where the supervisor ends without it."""
        assert self.running.stdout is not None
        for line in self.running.stdout:
            self.said.append(line)
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"never said {pattern!r}: {''.join(self.said)}")

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.running.pid).children()


@pytest.fixture
def hub(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Hub]]:
    started: list[Hub] = []

    def start(*extra: str) -> Hub:
        started.append(Hub(database_url, tmp_path, *extra))
        return started[-1]

    yield start
    for one in started:
        left = one.children() if one.running.poll() is None else []
        one.running.kill()
        one.running.wait()
        for child in left:
            child.kill()


def test_a_killed_child_starts_again_and_one_interrupt_stops_all(hub: Callable[..., Hub]) -> None:
    supervisor = hub()
    first = int(supervisor.hears(r"^worker 2\s+started, pid (\d+), 2 threads")[1])
    supervisor.hears(r"^scheduler\s+started, pid \d+")
    os.kill(first, signal.SIGKILL)
    supervisor.hears(r"^worker 2\s+killed by signal 9, starts again in 1 s")
    second = int(supervisor.hears(r"^worker 2\s+started, pid (\d+)")[1])
    assert second != first
    children = supervisor.children()
    assert len(children) >= 3
    began = time.monotonic()
    supervisor.running.send_signal(signal.SIGINT)
    assert supervisor.running.wait(timeout=30) == 0
    assert time.monotonic() - began < 30
    assert psutil.wait_procs(children, timeout=0)[1] == []
    supervisor.said += supervisor.running.stdout or []
    assert "killed\n" not in "".join(supervisor.said)


def test_a_taken_address_is_told_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        with pytest.raises(Misconfigured, match=f"^Nothing can listen at 127.0.0.1:{port} "):
            free_to_listen("127.0.0.1", port)
        tried = subprocess.run(
            [sys.executable, "-m", "cli", "up"], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, "ENTREPOT_PORT": str(port), "ENTREPOT_DATA": str(tmp_path)},
        )  # fmt: skip
    assert (tried.returncode, tried.stdout) == (2, "")
    assert list(tmp_path.iterdir()) == []
    assert f"127.0.0.1:{port}" in tried.stderr and tried.stderr.count("\n") == 1
    free_to_listen("127.0.0.1", port)


def test_children_do_not_outlive_a_killed_supervisor(hub: Callable[..., Hub]) -> None:
    supervisor = hub()
    supervisor.hears(r"^scheduler\s+started")
    children = supervisor.children()
    assert len(children) >= 3
    supervisor.running.kill()
    gone, alive = psutil.wait_procs(children, timeout=30)
    assert (len(gone), alive) == (len(children), [])


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_second_interrupt_kills_who_does_not_go(hub: Callable[..., Hub]) -> None:
    supervisor = hub("stubborn")
    pid = int(supervisor.hears(r"^stubborn\s+started, pid (\d+)")[1])
    stubborn = psutil.Process(pid)
    while not _ignores_sigterm(stubborn):
        assert stubborn.is_running()
    supervisor.running.send_signal(signal.SIGTERM)
    supervisor.hears(r"^worker 2\s+stopped")
    supervisor.running.send_signal(signal.SIGINT)
    supervisor.hears(r"^stubborn\s+killed")
    assert supervisor.running.wait(timeout=10) == 1
    assert not stubborn.is_running()


def _ignores_sigterm(process: psutil.Process) -> bool:
    status = Path(f"/proc/{process.pid}/status").read_text()
    ignored = int(re.search(r"SigIgn:\s+([0-9a-f]+)", status)[1], 16)  # type: ignore[index]
    return bool(ignored & (1 << (signal.SIGTERM - 1)))
