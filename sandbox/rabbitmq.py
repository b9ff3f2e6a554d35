"""A RabbitMQ of our own for tests and benches: own folder, ports, node, cookie and epmd; no other broker is touched.

Debian's wrappers in /usr/sbin insist on the user `rabbitmq` and its one system broker. The programs in the package's
lib folder run as whoever calls them, root included, with everything named by the environment (rabbitmq-env). Two things
are started as our own children so that we know their pids: epmd (Erlang's register of nodes, which otherwise outlives
the node as a stranger) and the node itself. Tried with RabbitMQ 3.10.8 on Debian 12.
"""

import contextlib
import fcntl
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

START_SECONDS = 90.0
STOP_SECONDS = 30.0
GREET_SECONDS = 20.0  # a busy machine greets late, and who gives up early takes a living node for dead
PORTS = range(
    20000, 30000
)  # below the range that systems give to outgoing connections, so that ours stay free

# Our children, kept so that a killed one is reaped and does not linger as a zombie.
_children: list[subprocess.Popen[bytes]] = []


class NoRabbit(Exception):
    """RabbitMQ is not installed or did not start; the message is one sentence for a person."""


class OwnRabbit:
    """One broker in one folder. Safe to use from several processes; the URL stays the same over restarts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    @property
    def url(self) -> str:
        """The AMQP URL, password included. Only meaningful after up()."""
        told = self._told()
        return f"amqp://entrepot:{told['password']}@127.0.0.1:{told['amqp_port']}/%2F" if told else ""

    def running(self) -> bool:
        """Whether the node answers an AMQP greeting."""
        told = self._told()
        return _alive(told.get("node")) and _greets(told["amqp_port"])

    def up(self) -> str:
        """Start it unless it runs; the AMQP URL. Takes about 5 s. Raises NoRabbit."""
        with self._locked():
            if not self.running():
                self._start()
            return self.url

    def down(self) -> None:
        """Stop node and epmd in good order; durable queues and their messages stay for the next up()."""
        with self._locked():
            told = self._told()
            _end(told.get("node"), signal.SIGTERM)
            _end(told.get("epmd"), signal.SIGTERM)

    def kill(self) -> None:
        """kill -9 of the node, for chaos tests; up() brings it back under the same URL."""
        with self._locked():
            _end(self._told().get("node"), signal.SIGKILL)

    def _told(self) -> dict[str, Any]:
        try:
            told: dict[str, Any] = json.loads((self._folder / "rabbitmq.json").read_text())
        except FileNotFoundError:
            return {}
        return told

    def _tell(self, told: dict[str, Any]) -> None:
        fresh = self._folder / "rabbitmq.json.new"
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(told, indent=1))
        fresh.replace(self._folder / "rabbitmq.json")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # every holder has a deadline of its own
            yield

    def _start(self) -> None:
        server = server_program()
        told = self._told()
        _end(told.get("node"), signal.SIGKILL)  # half up: its starter was killed, or it hangs
        wanted = ["amqp_port", "dist_port"] + ["epmd_port"] * (not _alive(told.get("epmd")))
        if not told or not all(_becomes_free(told[name]) for name in wanted):
            ports = _free_ports(3)
            told |= dict(zip(("amqp_port", "dist_port", "epmd_port"), ports, strict=True))
            _end(told.pop("epmd", None), signal.SIGTERM)
        told.setdefault("password", secrets.token_urlsafe(18))
        environment = self._configure(told)
        log = self._folder / "log"
        if not _alive(told.get("epmd")):
            epmd = [shutil.which("epmd") or "epmd", "-address", "127.0.0.1", "-port", str(told["epmd_port"])]
            told["epmd"] = _spawn(epmd, environment, log / "epmd.log")
            self._tell(told)
        # The variable `detached` makes the script exec Erlang in its own place: its pid is then the node's.
        told["node"] = _spawn([str(server)], environment | {"detached": "true"}, log / "start.log")
        self._tell(told)
        deadline = time.monotonic() + START_SECONDS
        while not _greets(told["amqp_port"]):
            if not _alive(told["node"]) or time.monotonic() > deadline:
                _end(told["node"], signal.SIGKILL)
                _end(told["epmd"], signal.SIGTERM)
                words = (log / "start.log").read_text(errors="replace").strip().splitlines()[-5:]
                raise NoRabbit(f"RabbitMQ did not start; see {log}: " + " / ".join(words))
            time.sleep(0.05)

    def _configure(self, told: dict[str, Any]) -> dict[str, str]:
        folder = self._folder
        (folder / "log").mkdir(exist_ok=True)
        (folder / "plugins").write_text("[].\n")
        settings = folder / "rabbitmq.conf"
        settings.touch(mode=0o600)
        settings.write_text(
            f"listeners.tcp.1 = 127.0.0.1:{told['amqp_port']}\n"
            f"default_user = entrepot\ndefault_pass = {told['password']}\n"
        )
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(folder),  # where Erlang keeps its cookie
            "RABBITMQ_NODENAME": "entrepot@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(told["amqp_port"]),
            "RABBITMQ_DIST_PORT": str(told["dist_port"]),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "node.pid"),
            "RABBITMQ_CONFIG_FILE": str(settings),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "no-rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "ERL_EPMD_PORT": str(told["epmd_port"]),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }


def server_program() -> Path:
    """The newest installed rabbitmq-server of a package's lib folder. Raises NoRabbit when there is none."""
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    if not found:
        raise NoRabbit("RabbitMQ is not installed (Debian, Ubuntu: apt-get install rabbitmq-server).")
    return found[-1]


def _spawn(command: list[str], environment: dict[str, str], log: Path) -> list[str]:
    """Start a program in a session of its own, so that our Ctrl-C is not its; [pid, start time]."""
    with log.open("wb") as said:
        child = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    _children.append(child)
    return [str(child.pid), _born(child.pid)]


def _born(pid: int) -> str:
    """The start time of a living process, "" when there is none: a pid alone may have a new owner."""
    if sys.platform != "linux":
        ps = subprocess.run(
            ["ps", "-p", str(pid), "-o", "lstart="], capture_output=True, text=True, check=False
        )
        return ps.stdout.strip()
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _alive(process: list[str] | None) -> bool:
    for child in _children:
        child.poll()
    return process is not None and _born(int(process[0])) == process[1] != ""


def _end(process: list[str] | None, how: signal.Signals) -> None:
    """Signal that very process and wait until it is gone; -9 when a gentler way takes too long."""
    if process is None or not _alive(process):
        return
    os.kill(int(process[0]), how)
    deadline = time.monotonic() + STOP_SECONDS
    while _alive(process):
        if time.monotonic() > deadline:
            os.kill(int(process[0]), signal.SIGKILL)
            deadline += STOP_SECONDS
        time.sleep(0.02)


def _greets(port: int) -> bool:
    """AMQP 0-9-1, section 4.2.2: the server answers the protocol header with a method frame (type 1)."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=GREET_SECONDS) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"
    except OSError:
        return False


def _free(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # a closed listener's TIME_WAIT is not in the way
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _becomes_free(port: int) -> bool:
    """A killed node's threads, and so its ports, may outlast its leader by some moments."""
    deadline = time.monotonic() + 5
    while not (free := _free(port)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return free


def _free_ports(count: int) -> list[int]:
    free = (port for port in random.sample(PORTS, len(PORTS)) if _free(port))
    return [next(free) for _ in range(count)]
