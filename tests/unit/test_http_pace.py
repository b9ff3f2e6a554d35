"""The HTTP client asks the pace of its server before each attempt and tells it how each one ended."""

import threading
from collections.abc import Iterator

import pytest

from connectors.http import Http, Query
from core.errors import Misconfigured, Temporary, Unknown
from tests.unit.scripted_server import JSON, Handler, Script, Server, client, drop, hang

GOOD = (200, JSON, "{}")


class Noted:
    """A pace that only writes down what it is asked and told; it refuses where `refuses` is set."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, float | bool]] = []
        self.refuses: Temporary | None = None

    def take(self, cost: float) -> None:
        self.heard.append(("take", cost))
        if self.refuses is not None:
            raise self.refuses

    def told(self, *, left: float, most: float, a_second: float) -> None:
        raise AssertionError("a plain HTTP answer has no meter")

    def pause(self, seconds: float) -> None:
        self.heard.append(("pause", seconds))

    def ended(self, *, well: bool) -> None:
        self.heard.append(("ended", well))


@pytest.fixture
def script() -> Iterator[Script]:
    made = Script()
    yield made
    made.hold.set()


@pytest.fixture
def server(script: Script) -> Iterator[int]:
    with Server(("127.0.0.1", 0), type("Here", (Handler,), {"script": script})) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield httpd.server_port
        script.hold.set()
        httpd.shutdown()
        thread.join()


@pytest.fixture
def pace() -> Noted:
    return Noted()


@pytest.fixture
def http(server: int, pace: Noted) -> Iterator[Http]:
    made = client(server, [], pace=pace)
    yield made
    made.close()


def test_each_attempt_is_asked_for_and_reported(http: Http, script: Script, pace: Noted) -> None:
    script.answers = [(429, {"Retry-After": "2"}, ""), (500, {}, ""), GOOD]
    assert http.get("x", cost=3.0).ok
    assert pace.heard == [
        ("take", 3.0),
        ("ended", True),
        ("pause", 2.0),
        ("take", 3.0),
        ("ended", False),
        ("take", 3.0),
        ("ended", True),
    ]


@pytest.mark.parametrize(
    ("answer", "well"),
    [((400, JSON, '{"code":"no"}'), True), ((404, JSON, "{}"), True), ((501, {}, ""), True), (GOOD, True)],
)
def test_a_refusal_is_an_answer(http: Http, script: Script, pace: Noted, answer: object, well: bool) -> None:
    script.answers = [answer]
    http.post("x", {}, seconds=5)
    assert pace.heard == [("take", 1.0), ("ended", well)]


def test_a_key_that_is_not_accepted_is_no_trouble_of_the_shop(
    http: Http, script: Script, pace: Noted
) -> None:
    script.answers = [(401, JSON, "{}")]
    with pytest.raises(Misconfigured):
        http.get("x")
    assert pace.heard == [("take", 1.0), ("ended", True)]


@pytest.mark.parametrize("fault", [drop, hang, (502, {}, "bad gateway")])
def test_what_hangs_breaks_or_fails_did_not_end_well(
    http: Http, script: Script, pace: Noted, fault: object
) -> None:
    script.answers = [fault]
    with pytest.raises(Unknown):
        http.post("x", {}, seconds=0.2)
    assert pace.heard == [("take", 1.0), ("ended", False)]


def test_maintenance_asks_to_be_left_alone(http: Http, script: Script, pace: Noted) -> None:
    script.answers = [(503, {"Retry-After": "600"}, "")]
    with pytest.raises(Temporary) as caught:
        http.post("x", {}, seconds=5)
    assert caught.value.retry_after == 600
    assert pace.heard == [("take", 1.0), ("ended", False), ("pause", 600.0)]


def test_where_the_pace_says_later_nothing_is_sent_and_nothing_asked_again(
    http: Http, script: Script, pace: Noted
) -> None:
    script.answers = [GOOD]
    pace.refuses = Temporary("The shop is left alone.", retry_after=1.0)
    with pytest.raises(Temporary, match="left alone"):
        http.get("x")
    assert pace.heard == [("take", 1.0)]
    assert script.received == []


def test_each_attempt_is_signed_anew_but_not_a_stranger_s(server: int, script: Script) -> None:
    script.answers = [(429, {}, ""), GOOD]
    signed: list[str] = []

    def sign(method: str, address: str, query: Query) -> Query:
        signed.append(f"{method} {address.rpartition('/')[2]}")
        return {**query, "nonce": len(signed)}

    http = client(server, [], sign=sign)
    assert http.get("x", {"a": 1}).ok
    http.post("y", {}, seconds=5)
    http.get("z", anonymous=True)
    http.close()
    assert [path for _, path, _, _ in script.received] == [
        "/wp-json/x?a=1&nonce=1",
        "/wp-json/x?a=1&nonce=2",
        "/wp-json/y?nonce=3",
        "/wp-json/z",
    ]
    assert signed == ["GET x", "GET x", "POST y"]
