"""Making a mapping in the console: what a change would do is seen while it is made, and saved by a person."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, Hub, Sight
from tests.mappings import LIST, in_this_process, send_file
from tests.stepping import one


@pytest.fixture
def hub(hub_of: Callable[[str], Hub], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Hub:
    made = hub_of(f"empty:mapping-{request.node.name}")
    monkeypatch.setenv("ENTREPOT_DATA", str(made.console.settings.data))
    in_this_process(monkeypatch)
    from tests import builders as make

    with made.console.db.unit_of_work() as uow:
        feed = make.feed(uow.session, name="liste").id
    send_file(made.console.db, feed, Path(made.console.settings.data) / "liste.csv", LIST)
    return made


@pytest.mark.parametrize(("script", "width"), [(True, 1280), (False, PHONE)])
def test_a_field_is_changed(hub: Hub, look: Callable[..., Sight], script: bool, width: int) -> None:
    sight = look(hub, width, script=script)
    page = sight.go("/feeds/1")
    page.get_by_role("link", name="Mapping", exact=True).first.click()
    page.get_by_role("link", name="Cost", exact=True).click()
    expect(page.get_by_label("Read from")).to_have_value("EK netto")
    page.get_by_label("Operations, one a line").fill("money: {decimal: ','}\ndefault: '9.99'")
    if script:
        page.get_by_label("Why").focus()  # leaving a changed field is enough
    else:
        page.get_by_role("button", name="Look", exact=True).click()
    expect(page.locator("#preview ins")).to_have_text("9.99")
    expect(page.locator("#preview")).to_contain_text("1 would differ; 2 would stay as they are")
    assert one(hub.console.db, "SELECT count(*) FROM feed_mapping") == 1
    page.get_by_label("Why").fill("no price: 9.99")
    page.get_by_role("button", name="Save as version 2").click()
    expect(page.get_by_role("status")).to_contain_text("The mapping has a new version")
    expect(page.get_by_text("no price: 9.99").first).to_be_visible()
    page.get_by_role("link", name="Version 1").click()
    page.get_by_role("button", name="Go back to this version").click()
    expect(page.get_by_role("status")).to_contain_text("The old version counts again")
    assert one(hub.console.db, "SELECT mapping_version FROM feed") == 3
    assert sight.wrong == []
