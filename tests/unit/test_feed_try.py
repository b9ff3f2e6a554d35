"""`entrepot feed try`: the answer's shape, its exit codes, and that nothing of a refused file gets out."""

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SAMPLES = Path(__file__).parent / "samples"
RUN = (
    "import sys, typer; from cli.feed_try import try_feed; from core.errors import EntrepotError\n"
    "app = typer.Typer(); app.command()(try_feed)\n"
    "try: app()\n"
    "except EntrepotError as error: sys.stderr.write(f'{error}\\n'); sys.exit(error.exit_code)\n"
)


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, *map(str, arguments)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def answer(*arguments: str | Path) -> dict[str, Any]:
    done = run(*arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_the_answer_has_the_shape_of_the_design() -> None:
    told = answer(SAMPLES / "german.csv", "--currency", "EUR", "--offers", "1")
    assert set(told) == {
        "file", "profile", "mapping", "drift", "records", "products", "variants", "accepted", "rejected", "quarantined",
        "reasons", "notes", "offers", "seconds", "peak_mb",
    }  # fmt: skip
    assert told["file"] == {
        "bytes": (SAMPLES / "german.csv").stat().st_size, "encoding": "cp1252", "format": "csv", "delimiter": ";", "sha256": sha256((SAMPLES / "german.csv").read_bytes()).hexdigest(),
    }  # fmt: skip
    assert told["mapping"]["cost"] == {
        "from": "EK netto",
        "confidence": told["mapping"]["cost"]["confidence"],
    }
    assert (told["records"], told["accepted"], told["rejected"], told["quarantined"]) == (7, 3, 3, 1)
    assert told["reasons"] == {"not_a_number": 1, "duplicate": 1, "duplicate_conflict": 1, "missing_key": 1}
    (offer,) = told["offers"]
    expected = {
        "supplier_sku": "LMP-01", "gtin": "4006381333931", "gtin_verdict": "valid", "title": "Tischlampe Größe M",
        "cost": {"amount": "12.50", "currency": "EUR"}, "price": None, "rrp": {"amount": "29.90", "currency": "EUR"}, "stock": 7,
        "availability": "in_stock", "kind": "goods", "group": None, "options": {}, "images": [], "verdict": "accepted",
        "reasons": [], "notes": [], "locator": "row 5",
    }  # fmt: skip
    assert {name: offer[name] for name in expected} == expected
    assert 0 < told["seconds"] < 20
    assert 0 < told["peak_mb"] < 600


def test_refused_records_are_shown_in_file_order() -> None:
    told = answer(SAMPLES / "german.csv", "--offers", "all")
    assert [(offer["locator"], offer["verdict"], offer["reasons"]) for offer in told["offers"]] == [
        ("row 5", "accepted", []), ("row 6", "accepted", []), ("row 7", "accepted", []), ("row 8", "rejected", ["not_a_number"]),
        ("row 9", "rejected", ["duplicate"]), ("row 10", "quarantined", ["duplicate_conflict"]), ("row 11", "rejected", ["missing_key"]),
    ]  # fmt: skip
    assert len(answer(SAMPLES / "german.csv")["offers"]) == 5


def test_profile_and_mapping_are_taken_from_the_command_line(tmp_path: Path) -> None:
    given = tmp_path / "mapping.yaml"
    given.write_text(
        "fields: {cost: null, price: {from: [EK netto], operations: [{money: {decimal: ','}}]}}\npolicy: {cost: {from: price, minus_percent: 50}}\n"
    )
    told = answer(SAMPLES / "german.csv", "--mapping", given, "--offers", "1")
    assert (told["offers"][0]["price"], told["offers"][0]["cost"]) == (
        {"amount": "12.50", "currency": None},
        {"amount": "6.25", "currency": None},
    )
    assert answer(SAMPLES / "shopify.csv", "--profile", "generic")["profile"] == "generic"


def test_people_get_a_table() -> None:
    done = run(SAMPLES / "german.csv")
    assert done.returncode == 0
    for piece in (
        "german.csv",
        "cp1252",
        "EK netto",
        "3 accepted",
        "1 quarantined",
        "is also the key of row 6",
        "LMP-01",
    ):
        assert piece in done.stdout


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.csv", b"", "is empty"),
        ("page.csv", b"<!DOCTYPE html><html><body>SECRET log in</body></html>", "is a web page"),
        ("header.csv", b"sku,title,price\n", "no records"),
        ("picture.csv", b"\x89PNG\r\n\x1a\n\0\0SECRET", "is a PNG picture"),
        ("bomb.xml", b'<!DOCTYPE b [<!ENTITY a "SECRET"><!ENTITY b "&a;&a;">]><rss><channel><item><id>&b;</id></item></channel></rss>', "declares XML entities"),
        ("other.xml", b"<catalogue><thing><a>SECRET</a><b>2</b></thing><thing><a>1</a><b>2</b></thing></catalogue>", "None of the columns"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_feed_is_one_line_and_exit_2(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    done = run(file, "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert sentence in done.stderr
    assert "SECRET" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["missing.csv"], "There is no file"), ([SAMPLES / "german.csv", "--currency", "Euros"], "no currency of ISO 4217"),
        ([SAMPLES / "german.csv", "--offers", "many"], "neither a number nor all"), ([SAMPLES / "german.csv", "--profile", "x"], "There is no profile"),
        ([SAMPLES / "german.csv", "--mapping", "missing.yaml"], "cannot be read"),
    ],
)  # fmt: skip
def test_unusable_arguments_are_one_line_and_exit_2(arguments: list[str | Path], sentence: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr


@pytest.mark.parametrize(("name", "cut"), [("shopify.csv", 900), ("google.xml", 1200), ("heureka.xml", 900)])
def test_a_truncated_file_answers_what_is_there(tmp_path: Path, name: str, cut: int) -> None:
    file = tmp_path / name
    file.write_bytes((SAMPLES / name).read_bytes()[:cut])
    told = answer(file, "--offers", "all")
    assert told["reasons"]["truncated"] == 1
    assert told["accepted"] + told["rejected"] + told["quarantined"] == told["records"]
    assert told["accepted"] >= 1


def test_an_external_entity_neither_reads_files_nor_opens_sockets(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("TOP SECRET CONTENT")
    file = tmp_path / "feed.xml"
    file.write_text(
        f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file://{secret}"><!ENTITY y SYSTEM "http://127.0.0.1:9/y">]>'
        + (SAMPLES / "google.xml").read_text().partition("?>")[2].replace("Chair", "&x;&y;")
    )
    watched = (
        "import socket, sys\ndef no(*a, **k): raise SystemExit(77)\nsocket.socket.__init__ = socket.create_connection = no\n"
        + RUN
    )
    done = subprocess.run(
        [sys.executable, "-c", watched, str(file), "--json"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "TOP SECRET" not in done.stdout + done.stderr


def test_no_database_is_even_imported() -> None:
    program = f"import sys; sys.argv = ['try', {str(SAMPLES / 'german.csv')!r}, '--json']\n" + RUN.replace(
        "app()\n", "app(standalone_mode=False)\n"
    )
    program += "\nprint(sorted(name for name in sys.modules if name.split('.')[0] in ('sqlalchemy', 'psycopg', 'models', 'dramatiq', 'pika')))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
