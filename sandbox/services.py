"""`./run services up|down`: the broker that tests and benches use, ours unless another was named to us.

Only our own RabbitMQ is ever started or stopped. A server named by ENTREPOT_AMQP_URL is used as it is. PostgreSQL needs
no service: the hub starts its own, or uses the one in ENTREPOT_DATABASE_URL.
"""

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from sandbox.rabbitmq import NoRabbit, OwnRabbit, server_program

CHECKOUT = Path(__file__).resolve().parent.parent


def folder() -> Path:
    """Where our services live: `services` in ENTREPOT_DATA, by default in the checkout's var."""
    return Path(os.environ.get("ENTREPOT_DATA") or CHECKOUT / "var").expanduser().absolute() / "services"


def up() -> str:
    """The AMQP URL of the broker named to us, else of our own, started. Raises NoRabbit."""
    if given := os.environ.get("ENTREPOT_AMQP_URL"):
        return given
    try:
        server_program()
    except NoRabbit:
        _install()
    return OwnRabbit(folder()).up()


def during(command: list[str]) -> int:
    """Run a command with the broker up; its exit status.

    A broker that was not up before is stopped after the last of the commands that run at the same time. Without
    RabbitMQ the command runs all the same: tests know how to skip, and in CI how to fail.
    """
    with _until_unused():
        try:
            up()
        except NoRabbit as error:
            print(f"entrepot: no RabbitMQ for the tests: {error}", file=sys.stderr)
        child = subprocess.Popen(command)
        # Ctrl-C reaches the child by itself, being in our process group; both must get to their ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        code = child.wait()
        return code if code >= 0 else 128 - code


@contextlib.contextmanager
def _until_unused() -> Iterator[None]:
    """Marks a broker that is down now as one to stop again; whoever leaves last finds the mark and nobody else."""
    if os.environ.get("ENTREPOT_AMQP_URL"):
        yield
        return
    rabbit, mark = OwnRabbit(folder()), folder() / "until-unused"
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder() / "users").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)  # the kernel takes it back from one that is killed
        if not rabbit.running():
            mark.touch()
        try:
            yield
        finally:
            fcntl.flock(users, fcntl.LOCK_UN)
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if mark.exists():
                    rabbit.down()
                    mark.unlink()


def _install() -> None:
    """Debian's package, when we may. Raises NoRabbit."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        server_program()
        return
    print("entrepot: installing rabbitmq-server (apt-get)", file=sys.stderr)
    # RUNLEVEL=1: invoke-rc.d(8) then does not start the package's own broker where there is no systemd.
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", "rabbitmq-server"]):
        apt = subprocess.run(
            ["apt-get", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        if apt.returncode != 0:
            last = " / ".join(apt.stderr.strip().splitlines()[-2:])
            raise NoRabbit(f"apt-get {words[0]} failed, so RabbitMQ is not installed: {last}")


def main(arguments: list[str]) -> int:
    """The command line; 0 done, 1 no RabbitMQ, 2 not understood."""
    if arguments[:1] == ["during"] and len(arguments) > 1:
        return during(arguments[1:])
    parser = argparse.ArgumentParser(prog="./run services", description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["up", "down"])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args(arguments)
    given = bool(os.environ.get("ENTREPOT_AMQP_URL"))
    (folder() / "until-unused").unlink(missing_ok=True)  # asked for by name, it stays until it is asked to go
    try:
        url = up() if asked.what == "up" else ""
    except NoRabbit as error:
        print(f"entrepot: {error}", file=sys.stderr)
        return 1
    if asked.what == "down" and not given:
        OwnRabbit(folder()).down()
    if asked.json:
        print(json.dumps({"amqp_url": url, "given": given}))
    elif url:
        print(f"ENTREPOT_AMQP_URL={url}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
