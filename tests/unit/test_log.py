"""The log: one line an entry, and no secret in it wherever it came from."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from core.log import masked

CHECKOUT = Path(__file__).resolve().parents[2]
SPEAK = """
import logging
from core import log
log.configure("INFO")
ours = log.logger("relay").bind(shop=7)
ours.info("published", count=3, note="two words", empty="")
ours.debug("never")
ours.warning("shop", consumer_key="abc", headers={"Authorization": "Basic abc", "Host": "x"}, idempotency_key="zzz",
    url="https://shop.test/?consumer_key=ck_1234567890&consumer_secret=cs_1234567890", list=["cs_aaaaaaaa"])
logging.getLogger("pika").error("lost amqp://guest:hunter2@rabbit:5672/")
logging.getLogger("dramatiq").info("never")
try:
    raise ValueError("line one\\nck_abcdef0123")
except ValueError:
    ours.exception("broke")
"""


def test_entries_are_one_line_each_without_secrets() -> None:
    said = subprocess.run(
        [sys.executable, "-c", SPEAK], cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout == ""
    lines = [line.split(" ", 1)[1] for line in said.stderr.splitlines()]
    assert lines[0] == 'info relay published shop=7 count=3 note="two words" empty=""'
    assert lines[1].startswith("warning relay shop shop=7 consumer_key=*** headers=")
    assert lines[2] == "error pika lost amqp://***@rabbit:5672/"
    assert lines[3].startswith('error relay broke shop=7 exception="Traceback')
    assert "ValueError: line one\\n***" in lines[3]
    assert len(lines) == 4
    assert "idempotency_key=***" in lines[1]
    for secret in ("abc", "ck_1", "cs_1", "cs_a", "hunter2", "zzz", "ck_abc"):
        assert secret not in said.stderr


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("ck_0123456789abcdef", "***"),
        ("postgresql://hub:s3cret@db/hub", "postgresql://***@db/hub"),
        ("postgresql://hub@/hub?host=/run", "postgresql://hub@/hub?host=/run"),
        ("Authorization: Bearer eyJ.a.b, next", "Authorization: Bearer ***, next"),
        ("GET /x?consumer_secret=topsecret&page=2", "GET /x?consumer_secret=***&page=2"),
        ("shpat_0123456789", "***"),
        ("check the stock of cs and ck_", "check the stock of cs and ck_"),
    ],
)
def test_masked(text: str, safe: str) -> None:
    assert masked(text) == safe


def test_configuring_twice_does_not_double_the_lines() -> None:
    from core import log

    before, level = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        log.configure()
        log.configure()
        assert len(logging.getLogger().handlers) == 1
    finally:
        logging.getLogger().handlers[:] = before
        logging.getLogger().setLevel(level)
