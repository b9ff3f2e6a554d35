"""Every page at both widths, light and dark: nothing sticks out, nothing breaks, everything can be read."""

from collections.abc import Callable

import pytest

from tests.browser.conftest import PHONE, WIDE, Hub, Sight

PAGES = {
    "rich": (
        "/", "/queues", "/queues/messages?lane=shop:3", "/feeds", "/feeds/new", "/feeds/1", "/feeds/1/source", "/feeds/1/source?kind=url", "/feeds/1/source?kind=api", "/feeds/1/source?kind=sftp", "/feeds/1/mapping", "/feeds/1/mapping/fields/cost",
        "/feeds/1/mapping/edit?part=rules", "/feeds/1/mapping/versions/1", "/runs/{applied}", "/runs/{waiting}", "/runs/{refused}",
        "/shops", "/shops/new", "/shops/1", "/shops/1?state=drifted", "/shops/1/adoption", "/shops/prices", "/shops/prices/new?seller=4", "/shops/prices/1", "/shops/1/listings/5", "/shops/1/plan", "/dead-letters", "/dead-letters/1",
        "/products", "/products?q=oslo", "/products/{product}", "/offers/{offer}", "/offers/{offer}/record", "/products/categories", "/products/categories?for=Licht&words=lamp",
        "/search?q=l", "/api/v1/docs", "/nowhere", *(f"/orders/{number}" for number in range(8, 16)), "/orders", "/orders?state=awaiting_deposit",
        "/orders?q=nothing-like-it", "/orders/9/lines/{line}", "/purchase-orders", "/purchase-orders?supplier={supplier}", "/purchase-orders/{unknown_po}",
        "/purchase-orders/{cancelled_po}", "/money", "/money/deposits/{poor}", "/money/deposits/{rich}", "/money/settlements", "/money/settlements/1",
        "/money/settlements/2", "/money/statements/1", "/money/bank", "/money/accounts", "/money/accounts/bank", "/money/accounts/seller:{rich}:deposit",
        "/money/entries/9", "/money/proof", "/money/accounts/nobody", "/privacy", "/shops/1/listings/{adopted}", "/shops/1/pushes/{undoable}/undo",
    ),
    "long_names": (
        "/", "/queues", "/feeds", "/feeds/1", "/feeds/1/source", "/feeds/1/mapping", "/feeds/1/mapping/versions/2", "/runs/1", "/shops", "/shops/1", "/shops/1/adoption", "/shops/prices", "/shops/prices/2", "/shops/1/listings/1", "/shops/1/listings/2", "/shops/1/plan",
        "/products", "/products/{product}", "/offers/{offer}/record", "/products/categories?how=all", "/products/categories?for=Licht&words=lamp",
        "/dead-letters", "/dead-letters/1", "/search?q=Donau", "/orders", *(f"/orders/{number}" for number in range(1, 6)), "/purchase-orders",
        *(f"/purchase-orders/{number}" for number in (1, 2)), "/money", "/money/deposits/3", "/money/settlements", "/money/settlements/1",
        "/money/statements/1", "/money/bank", "/money/accounts", "/money/accounts/seller:3:deposit", "/money/entries/5", "/money/proof", "/privacy", "/privacy?state=done", *(f"/privacy/{number}" for number in range(1, 6)),
    ),
    "empty": ("/", "/queues", "/feeds", "/feeds/new", "/products", "/products/categories", "/shops", "/shops/new", "/shops/prices", "/dead-letters", "/search", "/orders", "/privacy", "/purchase-orders", "/money", "/money/settlements", "/money/bank", "/money/accounts", "/money/proof"),
}  # fmt: skip

NAMED = (
    "line",
    "supplier",
    "unknown_po",
    "cancelled_po",
    "poor",
    "rich",
    "product",
    "offer",
    "adopted",
    "undoable",
)
THINGS = """
SELECT (SELECT min(id) FROM order_line WHERE order_id = 9), (SELECT min(supplier_id) FROM purchase_order),
  (SELECT min(id) FROM purchase_order WHERE state = 'unknown'), (SELECT min(id) FROM purchase_order WHERE state = 'cancel_requested'),
  (SELECT max(id) FROM company WHERE kind = 'seller'), (SELECT min(id) FROM company WHERE kind = 'seller'),
  (SELECT product_id FROM variant v JOIN offer o ON o.variant_id = v.id ORDER BY o.id LIMIT 1), (SELECT min(id) FROM offer),
  (SELECT min(l.id) FROM listing l JOIN adoption a ON a.shop_id = l.shop_id AND a.variant_id = l.variant_id WHERE a.state = 'adopted'),
  (SELECT max(push_id) FROM push_change)"""

# The contrast of every visible text with what lies behind it; colours are resolved by drawing them.
CONTRAST = """() => {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => { context.clearRect(0, 0, 1, 1); context.fillStyle = colour; context.fillRect(0, 0, 1, 1); return [...context.getImageData(0, 0, 1, 1).data]; };
  const over = (top, under) => { const a = top[3] / 255; return [0, 1, 2].map((i) => top[i] * a + under[i] * (1 - a)).concat(255); };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) { const colour = rgba(getComputedStyle(at).backgroundColor); if (colour[3]) layers.push(colour); if (colour[3] === 255) break; }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 255]);
  };
  const light = (colour) => { const [r, g, b] = colour.map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
    if (!text || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || element.closest(".sr, title, [disabled]")) continue;
    const style = getComputedStyle(element), back = behind(element);
    const front = over(rgba(style.color), back);
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) poor.push(`${text.slice(0, 30)} ${ratio.toFixed(2)} ${style.color}`);
  }
  return poor;
}"""
# What a person without eyes or mouse is told: one heading, names for fields, buttons, links and tables' columns.
NAMES = """() => {
  const wrong = [];
  if (document.querySelectorAll("h1").length > 1) wrong.push("several h1");
  if (document.documentElement.lang !== "en" || !document.title) wrong.push("no language or title");
  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
    if (!field.labels?.length && !field.ariaLabel && field.ariaHidden !== "true") wrong.push(`field ${field.name}`);
  for (const act of document.querySelectorAll("a[href], button, summary"))
    if (!(act.textContent.trim() || act.ariaLabel)) wrong.push(`nameless ${act.outerHTML.slice(0, 80)}`);
  for (const table of document.querySelectorAll(".card table"))
    if (!table.closest(".scroll, pre") && table.getBoundingClientRect().right > table.closest(".card").getBoundingClientRect().right + 1) wrong.push(`a table sticks out: ${table.textContent.trim().slice(0, 40)}`);
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  if (new Set(ids).size !== ids.length) wrong.push("an id twice");
  return wrong;
}"""


def addresses(hub: Hub, scene: str) -> list[str]:
    with hub.console.db.unit_of_work() as uow:
        newest = dict(uow.cursor().execute("SELECT state, max(id) FROM feed_run GROUP BY state").fetchall())
        found = uow.cursor().execute(THINGS).fetchone()
    return [address.format(**newest, **dict(zip(NAMED, found, strict=True))) for address in PAGES[scene]]


@pytest.mark.parametrize(
    ("scene", "width", "theme"),
    [
        *[("rich", width, theme) for width, theme in ((WIDE, "light"), (PHONE, "dark"))],
        *[
            (scene, width, theme)
            for scene in ("long_names", "empty")
            for width, theme in ((WIDE, "dark"), (PHONE, "light"))
        ],
    ],
)
def test_pages(
    hub_of: Callable[[str], Hub], look: Callable[..., Sight], scene: str, width: int, theme: str
) -> None:
    hub = hub_of(scene)
    sight = look(hub, width, theme)
    faults = []
    for address in addresses(hub, scene):
        page = sight.go(address)
        page.evaluate("document.querySelectorAll('main details').forEach(each => each.open = true)")
        if over := sight.too_wide():
            faults.append(f"{address} is {over} px too wide")
        faults += [f"{address}: {text}" for text in page.evaluate(CONTRAST)]
        faults += [f"{address}: {text}" for text in page.evaluate(NAMES)]
    assert faults == []
    assert [wrong for wrong in sight.wrong if "404 (Not Found)" not in wrong] == []


def test_the_overview_fits_one_screen(hub_of: Callable[[str], Hub], look: Callable[..., Sight]) -> None:
    page = look(hub_of("rich")).go("/")
    assert page.get_by_role("heading", name="Orders and money").is_visible()
    assert page.evaluate("document.documentElement.scrollHeight") <= 800


def test_light_and_dark_follow_the_machine_without_script(
    hub_of: Callable[[str], Hub], look: Callable[..., Sight]
) -> None:
    ground = {
        theme: look(hub_of("rich"), theme=theme, script=False)
        .go("/")
        .locator("body")
        .evaluate("body => getComputedStyle(body).backgroundColor")
        for theme in ("light", "dark")
    }
    assert ground == {"light": "rgb(244, 246, 248)", "dark": "rgb(15, 20, 25)"}


def test_a_phone_has_a_bottom_bar_of_four(hub_of: Callable[[str], Hub], look: Callable[..., Sight]) -> None:
    sight = look(hub_of("rich"), PHONE)
    page = sight.go("/feeds")
    assert not page.locator(".side").is_visible()
    bar = page.locator("nav.bottom > *")
    assert [text.split("\n")[0].strip() for text in bar.all_inner_texts()] == [
        "Overview",
        "Orders",
        "Money",
        "More",
    ]
    assert page.locator("nav.bottom summary[aria-current=page]").inner_text().startswith("More")
    for entry in bar.all():
        box = entry.bounding_box()
        assert box and box["height"] >= 44
    page.locator("nav.bottom summary").click()
    page.locator("nav.bottom .sheet a", has_text="Dead letters").click()
    page.wait_for_url("**/dead-letters")
    page.locator("nav.bottom a", has_text="Orders").click()
    page.wait_for_url("**/orders")
    assert page.locator("nav.bottom > a[aria-current=page]").inner_text() == "Orders"
    assert sight.wrong == []
