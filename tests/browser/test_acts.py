"""What a person does: signing in, approving, replaying, by mouse, by key, and in a browser without script."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests import builders as make
from tests.browser.conftest import PHONE, Hub, Sight
from tests.stepping import one, pending, rows

HubOf = Callable[[str], Hub]
Look = Callable[..., Sight]


@pytest.mark.parametrize("script", [True, False])
def test_signing_in(hub_of: HubOf, look: Look, script: bool) -> None:
    hub = hub_of("empty")
    sight = look(hub, script=script, signed_in=False)
    page = sight.go("/shops")
    assert page.url == f"{hub.url}/login?next=/shops"
    page.get_by_label("Operator's password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("That is not the password")
    page.get_by_label("Operator's password").fill(hub.console.made.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/shops")
    expect(page.get_by_role("heading", name="Shops")).to_be_visible()
    page.locator("details.menu summary").first.click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")
    assert [wrong for wrong in sight.wrong if "401" not in wrong] == []


@pytest.mark.parametrize("script", [True, False])
def test_approving_a_run(hub_of: HubOf, look: Look, script: bool) -> None:
    hub = hub_of(f"rich:approve-{script}")
    sight = look(hub, script=script)
    page = sight.go("/")
    page.get_by_role("link", name="Preisliste: a run waits for approval").click()
    expect(page.get_by_role("heading", name="This run waits for you")).to_be_visible()
    before = len(pending(hub.console.db))
    page.get_by_role("button", name="Approve and write 1,237 differences").click()
    expect(page.get_by_role("status")).to_contain_text("The run may pass")
    assert [message["event"] for message in pending(hub.console.db)[before:]] == ["RunApproved"]
    assert page.get_by_role("button", name="Approve").count() == 0
    assert sight.wrong == []


@pytest.mark.parametrize("script", [True, False])
def test_replaying_and_dropping_dead_letters(hub_of: HubOf, look: Look, script: bool) -> None:
    hub = hub_of(f"rich:letters-{script}")
    sight = look(hub, script=script)
    page = sight.go("/dead-letters")
    before = len(pending(hub.console.db))
    replay = page.get_by_role("button", name="Replay")
    if script:
        expect(replay).to_be_disabled()
    page.get_by_label("Select dead letter 2").check()
    replay.click()
    expect(page.get_by_role("status")).to_contain_text("Put back into the queue")
    assert [message["event"] for message in pending(hub.console.db)[before:]] == ["OffersChanged"]
    page.get_by_role("link", name="Misconfigured").click()
    page.get_by_role("button", name="Drop").click()
    expect(page.get_by_role("heading", name="Drop 1 dead letter for good?")).to_be_visible()
    page.get_by_role("link", name="Keep it").click()
    page.get_by_role("button", name="Drop").click()
    page.get_by_role("button", name="Drop it").click()
    expect(page.get_by_role("heading", name="Nothing waits for you here")).to_be_visible()
    assert one(hub.console.db, "SELECT count(*) FROM dead_letter") == 2
    assert sight.wrong == []


@pytest.mark.parametrize(("script", "width"), [(True, 1280), (False, PHONE)])
def test_sending_a_file(hub_of: HubOf, look: Look, tmp_path: Path, script: bool, width: int) -> None:
    hub = hub_of(f"rich:send-{script}")
    sight = look(hub, width, script=script)
    file = tmp_path / "liste.csv"
    file.write_text("Artikelnummer;EK\nA-1;1,00\n")
    page = sight.go("/feeds/3")
    page.get_by_label("The supplier's file").set_input_files(file)
    page.get_by_role("button", name="Take it in").click()
    expect(page.get_by_role("status")).to_contain_text("The file is in the archive")
    assert rows(hub.console.db, "SELECT file_name, state FROM feed_run ORDER BY id DESC LIMIT 1") == [
        ("liste.csv", "landed")
    ]
    assert sight.wrong == []


def test_dropping_a_file(hub_of: HubOf, look: Look) -> None:
    hub = hub_of("rich:drop")
    sight = look(hub)
    page = sight.go("/feeds/3")
    carried = page.evaluate_handle(
        "() => { const all = new DataTransfer(); all.items.add(new File(['a;b'], 'dropped.csv')); return all; }"
    )
    page.locator(".drop").dispatch_event("dragover", {"dataTransfer": carried})
    expect(page.locator(".drop.over")).to_be_visible()
    page.locator(".drop").dispatch_event("drop", {"dataTransfer": carried})
    page.get_by_role("button", name="Take it in").click()
    expect(page.get_by_role("status")).to_contain_text("The file is in the archive")
    assert one(hub.console.db, "SELECT file_name FROM feed_run ORDER BY id DESC LIMIT 1") == "dropped.csv"
    assert sight.wrong == []


def test_everything_else_without_script(hub_of: HubOf, look: Look) -> None:
    sight = look(hub_of("rich"), script=False)
    page = sight.go("/shops")
    page.get_by_role("link", name="trouble 1").click()
    assert page.locator("tr[data-row]").count() == 1
    page.get_by_role("link", name="Lichtblick Outlet").click()
    page.get_by_label("SKU, GTIN or title").fill("Oslo")
    page.get_by_label("SKU, GTIN or title").press("Enter")
    assert "q=Oslo" in page.url
    page.get_by_label("Search feeds, shops, products").fill("preisliste")
    page.get_by_label("Search feeds, shops, products").press("Enter")
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    page.locator("details.menu summary").first.click()
    page.get_by_role("button", name="Dark").click()
    assert page.locator("html").get_attribute("data-bs-theme") == "dark"
    assert "preisliste" in page.url
    assert sight.wrong == []


def test_keys(hub_of: HubOf, look: Look) -> None:
    sight = look(hub_of("rich"))
    page = sight.go("/")
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    page.keyboard.type("gf?jx")  # letters in a field are letters
    assert page.locator("#find").input_value() == "gf?jx"
    page.keyboard.press("Escape")
    for key, address in (
        ("f", "/feeds"),
        ("s", "/shops"),
        ("q", "/queues"),
        ("r", "/orders"),
        ("m", "/money"),
        ("d", "/dead-letters"),
        ("o", "/"),
    ):
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(f"{sight.url}{address}")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).not_to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("d")
    page.wait_for_url("**/dead-letters")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("[data-picked]")).to_have_text("1 selected")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("k")
    page.keyboard.press("x")
    assert [box.is_checked() for box in page.locator("input[data-pick]").all()] == [False, True]
    expect(page.locator("tr.at")).to_have_count(1)
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url("**/dead-letters/1")
    assert sight.wrong == []


def test_selecting_all_and_some(hub_of: HubOf, look: Look) -> None:
    sight = look(hub_of("long_names"))
    page = sight.go("/dead-letters")
    page.get_by_label("Select all on this page").check()
    expect(page.locator("[data-picked]")).to_have_text("50 selected")
    page.get_by_label("Select dead letter 60").uncheck()
    expect(page.locator("[data-picked]")).to_have_text("49 selected")
    assert page.get_by_label("Select all on this page").evaluate("box => box.indeterminate")
    assert sight.wrong == []


def test_queues_are_live(hub_of: HubOf, look: Look) -> None:
    hub = hub_of("rich:live")
    sight = look(hub)
    page = sight.go("/queues")
    expect(page.get_by_role("link", name="Casa Messe")).to_have_count(0)
    page.evaluate("window.untouched = true")
    with hub.console.db.unit_of_work() as uow:
        make.message(uow.session, "shop:4", "shops")
    expect(page.get_by_role("link", name="Casa Messe")).to_be_visible()
    assert page.evaluate("window.untouched")  # the page itself was not loaded again
    assert sight.wrong == []


def test_a_run_moves_while_one_looks_and_survives_a_reload(hub_of: HubOf, look: Look) -> None:
    hub = hub_of("rich:progress")
    with hub.console.db.unit_of_work() as uow:
        (number,) = uow.cursor().execute("SELECT id FROM feed_run WHERE state = 'landed'").fetchone()
    sight = look(hub)
    page = sight.go(f"/runs/{number}")
    expect(page.locator(".live")).to_contain_text("21,500 records")
    with hub.console.db.unit_of_work() as uow:
        uow.cursor().execute("UPDATE feed_run SET records_done = 40000 WHERE id = %s", [number])
    expect(page.locator(".live")).to_contain_text("40,000 records")
    page.reload()
    expect(page.locator(".live")).to_contain_text("40,000 records")
    with hub.console.db.unit_of_work() as uow:
        uow.cursor().execute(
            "UPDATE feed_run SET state = 'refused', problem = 'It is a picture.' WHERE id = %s", [number]
        )
    expect(page.get_by_role("alert")).to_contain_text("It is a picture.")
    expect(page.locator(".live")).to_have_count(0)
    assert sight.wrong == []


def test_an_ended_session_leads_a_polling_page_to_the_door(hub_of: HubOf, look: Look) -> None:
    hub = hub_of("empty:ended")
    sight = look(hub)
    page = sight.go("/queues")
    with hub.console.db.unit_of_work() as uow:
        uow.cursor().execute("DELETE FROM web_session")
    page.wait_for_url("**/login")
    expect(page.get_by_label("Operator's password")).to_be_visible()
    assert sight.wrong == []


@pytest.mark.parametrize(("script", "width"), [(True, 1280), (False, PHONE)])
def test_answering_for_a_supplier(hub_of: HubOf, look: Look, script: bool, width: int) -> None:
    hub = hub_of(f"rich:answer-{script}")
    po, order = rows(
        hub.console.db, "SELECT min(id), min(order_id) FROM purchase_order WHERE state = 'placed'"
    )[0]
    sight = look(hub, width, script=script)
    page = sight.go(f"/orders/{order}")
    page.get_by_label("The supplier's own number for").fill("AB-77")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("status")).to_contain_text("the supplier confirmed it")
    page.get_by_text("A parcel left", exact=True).click()
    page.get_by_label("Carrier").fill("DHL")
    page.get_by_role("button", name="Note the parcel").click()
    expect(page.get_by_role("status")).to_contain_text("the parcel left")
    state = "SELECT state, external_number FROM purchase_order WHERE id = %s"
    assert rows(hub.console.db, state, po) == [("shipped", "AB-77")]
    assert sight.wrong == []


@pytest.mark.parametrize(("script", "width"), [(True, 1280), (False, PHONE)])
def test_money_that_is_paid_in_and_allocated(hub_of: HubOf, look: Look, script: bool, width: int) -> None:
    hub = hub_of(f"rich:money-{script}")
    sight = look(hub, width, script=script)
    page = sight.go("/money")
    if script:
        expect(page.get_by_role("link", name="ledger proved")).to_be_visible()
    else:
        page.get_by_role("link", name="Prove the ledger").click()
        expect(page.locator("h1 + .chip")).to_have_text("proved")
        page.go_back()
    page.get_by_role("link", name="Lichtblick Wohnen").click()
    page.get_by_label("Paid by card").fill("500,00")
    page.get_by_role("button", name="Credit it").click()
    expect(page.get_by_role("status")).to_contain_text("The deposit is credited")
    expect(page.locator(".figure").first).to_contain_text("590.00 EUR")
    page = sight.go("/money/bank")
    page.get_by_label("Whose money line").select_option(label="Lichtblick Wohnen (LICHT)")
    page.get_by_role("button", name="Into his deposit").click()
    expect(page.get_by_role("status")).to_contain_text("The money is in the seller's deposit")
    assert (
        one(
            hub.console.db,
            "SELECT balance FROM account WHERE name LIKE 'seller:%%:deposit' AND company_id = 6",
        )
        == 71_000
    )
    assert sight.wrong == []


def test_a_line_of_an_account_unfolds_without_script(hub_of: HubOf, look: Look) -> None:
    sight = look(hub_of("rich"), script=False)
    page = sight.go("/money/accounts/bank")
    postings = page.locator("table.postings").first
    expect(postings).not_to_be_visible()
    page.locator("details.raw summary").first.click()
    expect(postings).to_be_visible()
    expect(postings).to_contain_text("bank → supplier:3:available")
    assert sight.wrong == []


@pytest.mark.parametrize("script", [True, False])
def test_a_form_that_was_refused_is_come_back_to(hub_of: HubOf, look: Look, script: bool) -> None:
    hub = hub_of("empty")
    page = look(hub, script=script).go("/shops/new")
    page.get_by_label("Seller's name").fill("Casa & Co")
    page.get_by_label("What to call the shop").fill("Casa")
    page.get_by_label("Its address").fill("[red]")
    page.get_by_role("button", name="Agree on the shop's own page").click()
    expect(page.get_by_role("alert")).to_contain_text("is no address")
    page.get_by_role("link", name="Back to the form").click()
    page.wait_for_url("**/shops/new")
    expect(page.get_by_label("What to call the shop")).to_have_value("Casa" if script else "")
    assert one(hub.console.db, "SELECT count(*) FROM company WHERE kind = 'seller'") == 0
