"""The whole first way through the API: a supplier's file becomes true listings in a shop that speaks HTTPS."""

from pathlib import Path

import pytest

from sandbox.woocommerce.shop import Shop
from tests.console import console
from tests.stepping import one, run_all

LIST = """Artikelnummer;Bezeichnung;EK netto;Bestand
L-1;Lampe Oslo;12,50;7
L-2;Lampe Bergen;8,00;3
L-3;Lampe ohne Preis;;4
"""


def test_a_file_sent_by_api_becomes_listings_read_back_equal(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path / "hub"))
    monkeypatch.setenv("ENTREPOT_PRIVATE_HOSTS", "127.0.0.1")
    with (
        Shop(tmp_path / "shop", images="accept") as shop,
        console(database_url, tmp_path / "hub", private_hosts="127.0.0.1") as opened,
    ):
        opened.api("POST", "/suppliers", json={"name": "Nordlicht", "code": "NORD"})
        opened.api("POST", "/sellers", json={"name": "Casa", "code": "CASA"})
        feed = opened.api(
            "POST", "/feeds", json={"name": "Liste", "supplier": "NORD", "currency": "EUR"}
        ).json()["id"]
        run = opened.api("POST", f"/feeds/{feed}/files?name=liste.csv", content=LIST.encode("cp1252")).json()[
            "id"
        ]
        run_all(opened.db)
        read = opened.api("GET", f"/runs/{run}").json()
        assert (read["state"], read["summary"]["accepted"], read["plan"]["new"]) == ("applied", 2, 2)
        asked = {
            "name": "casa",
            "seller": "CASA",
            "url": shop.url,
            "key": shop.keys.key,
            "secret": shop.keys.secret,
            "ca_file": str(shop.ca_file),
        }
        connected = opened.api("POST", "/shops", json=asked)
        assert (connected.status_code, connected.json()["currency"]) == (201, "EUR")
        number = connected.json()["id"]
        opened.api("POST", f"/shops/{number}/selections", json={"supplier": "NORD", "margin_percent": 20})
        run_all(opened.db)
        plan = opened.api("GET", f"/shops/{number}/plan").json()
        assert plan["counts"] == {"create": 2, "update": 0, "stock": 0, "withdraw": 0}
        opened.api("POST", f"/shops/{number}/push")
        run_all(opened.db)
        listed = opened.api("GET", f"/shops/{number}/listings").json()
        assert listed["states"] == {"live": 2}
        assert {(row["sku"], row["seen"]["price"], row["seen"]["stock"]) for row in listed["listings"]} == {
            ("NORD-L-1", "15.00", 7), ("NORD-L-2", "9.60", 3)
        }  # fmt: skip
        again = opened.api(
            "POST", f"/feeds/{feed}/files?name=liste.csv", content=LIST.encode("cp1252")
        ).json()
        assert again["state"] == "unchanged"
        report = opened.api("GET", f"/runs/{run}/report").text.splitlines()
        assert report[1] == 'L-1,Lampe Oslo,"12,50",7,accepted,new,,,,row 2'
        assert "missing_price" in report[3]


def test_a_shop_that_refuses_the_key_is_not_stored(database_url: str, tmp_path: Path) -> None:
    with (
        Shop(tmp_path / "shop") as shop,
        console(database_url, tmp_path / "hub", private_hosts="127.0.0.1") as opened,
    ):
        opened.api("POST", "/sellers", json={"name": "Casa", "code": "CASA"})
        asked = {
            "name": "casa",
            "seller": "CASA",
            "url": shop.url,
            "key": shop.keys.key,
            "secret": "cs_" + "0" * 40,
            "ca_file": str(shop.ca_file),
        }
        refused = opened.api("POST", "/shops", json=asked)
        assert (refused.status_code, refused.json()["error"]["rule"]) == (409, "misconfigured")
        assert shop.keys.key not in refused.text
        form = opened.post("/shops", name="casa", new_seller="Other", url=shop.url, key="ck_x", secret="cs_x")
        assert form.status_code in (
            409,
            503,
        )  # its certificate is its own, and a page takes no file of the hub's machine
        assert one(opened.db, "SELECT count(*) FROM shop") == 0
        assert one(opened.db, "SELECT count(*) FROM company WHERE kind = 'seller'") == 1
