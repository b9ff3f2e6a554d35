"""Our own RabbitMQ comes up beside any other, keeps durable messages over kill -9, and goes without a trace."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pika
import pytest

from sandbox.rabbitmq import NoRabbit, OwnRabbit, server_program

CHECKOUT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.rabbitmq


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    try:
        server_program()
    except NoRabbit as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
    with tempfile.TemporaryDirectory(prefix="rabbit-", dir="/tmp") as name:
        yield Path(name) / "services"
        OwnRabbit(Path(name) / "services").down()


def told(folder: Path) -> dict[str, object]:
    return json.loads((folder / "rabbitmq.json").read_text())


def lives(process: object) -> bool:
    pid, _born = process
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def services(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "sandbox.services", *words],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), **environment},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


def test_durable_messages_outlive_kill_and_restart_and_down_ends_node_and_epmd(folder: Path) -> None:
    rabbit = OwnRabbit(folder)
    assert not rabbit.running()
    url = rabbit.up()
    assert rabbit.running()
    first = told(folder)

    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("kept", durable=True)
        for number in range(500):
            channel.basic_publish("", "kept", str(number).encode(), pika.BasicProperties(delivery_mode=2))

    assert rabbit.up() == url  # nothing is started twice
    assert told(folder) == first

    rabbit.kill()
    assert not rabbit.running()
    assert not lives(first["node"])
    assert rabbit.up() == url
    second = told(folder)
    assert second["node"] != first["node"]
    assert second["epmd"] == first["epmd"]
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        assert channel.queue_declare("kept", passive=True).method.message_count == 500
        assert channel.basic_get("kept", auto_ack=True)[2] == b"0"

    rabbit.down()
    assert not rabbit.running()
    assert not lives(second["node"])
    assert not lives(second["epmd"])
    rabbit.down()  # once more is harmless


def test_it_listens_on_this_machine_only_and_wants_the_password(folder: Path) -> None:
    rabbit = OwnRabbit(folder)
    url = urlsplit(rabbit.up())
    assert url.hostname == "127.0.0.1"
    assert (folder / "rabbitmq.json").stat().st_mode & 0o077 == 0
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        pika.BlockingConnection(pika.URLParameters(f"amqp://entrepot:wrong@127.0.0.1:{url.port}/%2F"))
    listening = Path("/proc/net/tcp").read_text().splitlines()[1:]
    for name in ("amqp_port", "dist_port", "epmd_port"):
        port = f":{told(folder)[name]:04X}"
        addresses = [
            line.split()[1] for line in listening if line.split()[1].endswith(port) and " 0A " in line
        ]
        assert addresses == ["0100007F" + port], name


def test_two_brokers_stand_side_by_side_and_down_stops_only_ones_own(folder: Path, tmp_path: Path) -> None:
    ours, other = OwnRabbit(folder), OwnRabbit(tmp_path / "other")
    ours.up()
    try:
        assert urlsplit(other.up()).port != urlsplit(ours.url).port
    finally:
        other.down()
    assert ours.running()


def test_command_line_up_and_down(folder: Path) -> None:
    data = str(folder.parent)
    url = OwnRabbit(folder).up()
    up = services("up", ENTREPOT_DATA=data)
    assert (up.returncode, up.stdout) == (0, f"ENTREPOT_AMQP_URL={url}\n"), up.stderr
    as_json = services("up", "--json", ENTREPOT_DATA=data)
    assert json.loads(as_json.stdout) == {"amqp_url": url, "given": False}
    assert services("down", ENTREPOT_DATA=data).returncode == 0
    assert not OwnRabbit(folder).running()


# Says whether the broker is up, waits for a line, says it again.
WATCH = """
import sys
from sandbox.rabbitmq import OwnRabbit
from sandbox.services import folder
print(OwnRabbit(folder()).running(), flush=True)
sys.stdin.readline()
sys.exit(7 if OwnRabbit(folder()).running() else 1)
"""


@pytest.mark.deep
def test_commands_find_the_broker_up_and_the_last_of_them_has_it_stopped(folder: Path) -> None:
    assert not OwnRabbit(folder).running()
    first, second = (
        subprocess.Popen(
            [sys.executable, "-P", "-m", "sandbox.services", "during", sys.executable, "-P", "-c", WATCH],
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), "ENTREPOT_DATA": str(folder.parent)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    )
    assert first.stdout and second.stdout
    assert (first.stdout.readline(), second.stdout.readline()) == ("True\n", "True\n")
    first.communicate("\n", timeout=60)
    assert first.returncode == 7
    assert OwnRabbit(folder).running()
    second.communicate("\n", timeout=60)
    assert second.returncode == 7
    assert not OwnRabbit(folder).running()


def test_a_broker_named_to_us_is_used_and_never_stopped(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        url = f"amqp://somebody:else@127.0.0.1:{stranger.getsockname()[1]}/%2F"
        for words, shown in (("up",), f"ENTREPOT_AMQP_URL={url}\n"), (("down",), ""):
            told_ = services(*words, ENTREPOT_DATA=str(tmp_path), ENTREPOT_AMQP_URL=url)
            assert (told_.returncode, told_.stdout, told_.stderr) == (0, shown, "")
        stranger.settimeout(0)
        with pytest.raises(BlockingIOError):
            stranger.accept()
    assert not (tmp_path / "services").exists()
