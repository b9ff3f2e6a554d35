"""A number that no row can have is answered and is no failure of the server: nothing of it stands in the log as one."""

import http.client
import logging
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.console import console, served


def test_two_such_calls_on_one_connection_are_answered_without_a_failure(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    with console(database_url, tmp_path) as opened, served(opened) as address:
        line = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
        for _ in range(2):
            line.request(
                "GET", f"/api/v1/orders/{2**63}", headers={"Authorization": f"Bearer {opened.made.api_key}"}
            )
            answer = line.getresponse()
            assert (answer.status, b"too great" in answer.read()) == (404, True)
        line.close()
    assert [record.getMessage() for record in caplog.records if "ASGI" in record.getMessage()] == []


def test_half_a_character_is_refused_in_words(database_url: str, tmp_path: Path) -> None:
    with console(database_url, tmp_path) as opened:
        body = '{"seller": "\\ud800", "name": "x", "channel": "woocommerce", "url": "https://shop.example"}'
        told = opened.api(
            "POST", "/shops/connections", content=body, headers={"Content-Type": "application/json"}
        )
    assert (told.status_code, told.json()["error"]["rule"]) == (422, "invalid")
