"""Whatever the owner, the hub and the line do to a WooCommerce page's tags, category and pictures: his stay, ours are what is wanted."""

import random
from contextlib import suppress
from dataclasses import replace

import pytest

from connectors.base import ProductDraft
from core.errors import Temporary, Unknown
from tests.contract.shops import LOST, PATIENCE, Make, WooRig, known, push

CHANNEL = "woocommerce"
pytestmark = pytest.mark.usefixtures("sandbox")
TAGS = ("a", "b", "c", "d")
PICTURES = tuple(f"https://img.test/{name}.jpg" for name in "pqr")


class Page:
    """A page that the hub made, with what its owner gave it since in the test's own memory."""

    def __init__(self, woo: WooRig, make: Make, dice: random.Random) -> None:
        self.woo, self.dice, self.prefix = woo, dice, make.prefix
        self.shelves = [f"{make.prefix} {name}" for name in ("One", "Two", "Three")]
        draft = make.simple(1, tags=self._tags("a"), category=(self.shelves[0],), images=PICTURES[:1])
        self.wanted: ProductDraft = known(draft, push(woo.connect(), draft)[draft.key])
        self.id = str(self.wanted.external_id)
        self.ids = {title: self._term("categories", title) for title in self.shelves}
        self.tags: set[str] = set()
        self.places: set[str] = set()
        self.pictures: list[str] = []
        self.out_of: set[str] = set()

    def _tags(self, *names: str) -> tuple[str, ...]:
        return tuple(f"{self.prefix} {name}" for name in names)

    def _term(self, kind: str, name: str) -> int:
        held = {str(one["name"]): int(one["id"]) for one in self.woo.pages(f"products/{kind}")}
        return held.get(name) or int(self.woo.rest("POST", f"products/{kind}", json={"name": name})["id"])

    def now(self, kind: str) -> dict[str, int]:
        found = {
            str(one["name"]): int(one["id"]) for one in self.woo.rest("GET", f"products/{self.id}")[kind]
        }
        return {name: number for name, number in found.items() if name != "Uncategorized"}

    def give(self, kind: str, *numbers: int) -> None:
        self.woo.edit(self.id, **{kind: [{"id": number} for number in numbers]})

    def step(self) -> None:
        acts = (
            *["hub"] * 8,
            *["owner_tags"] * 4,
            *["owner_shelves", "owner_pictures"] * 2,
            "owner_takes_out",
        )
        getattr(self, self.dice.choice(acts))()

    def hub(self) -> None:
        """Wants something, over a line that may fail for a while."""
        dice = self.dice
        tags = self._tags(*(tag for tag in TAGS if dice.random() < 0.5))
        category = (dice.choice(self.shelves),) if dice.random() < 0.8 else ()
        images = tuple(dice.sample(PICTURES, dice.randrange(4)))
        self.wanted = replace(self.wanted, tags=tags, category=category, images=images)
        if dice.random() < 0.5:
            self.woo.fail(dice.choice(LOST), times=dice.choice((1, 1, 9)))
        with suppress(Temporary, Unknown):
            result = push(self.woo.connect(patience=PATIENCE), self.wanted)[self.wanted.key]
            self.wanted = known(self.wanted, result)
        self.woo.tidy("")

    def owner_tags(self) -> None:
        """He gives it a tag of his own, or takes off one of the hub's, which comes back where it is wanted."""
        there = self.now("tags")
        if self.dice.random() < 0.5:
            (mine,) = self._tags(f"his {self.dice.randrange(3)}")
            self.tags.add(mine)
            self.give("tags", *{*there.values(), self._term("tags", mine)})
        elif gone := sorted({*there} - self.tags):
            title = self.dice.choice(gone)
            self.give("tags", *(number for name, number in there.items() if name != title))

    def owner_shelves(self) -> None:
        """He puts it into a category where it was not, and that is his place from then on."""
        there = self.now("categories")
        if free := sorted({*self.shelves} - {*there} - self.out_of):
            title = self.dice.choice(free)
            self.places.add(title)
            self.give("categories", *there.values(), self.ids[title])

    def owner_takes_out(self) -> None:
        """He takes it out of the hub's category: from then on it stands where he puts it."""
        there = self.now("categories")
        if ours := sorted({*there} - self.places):
            self.out_of = {ours[0]}
            self.give("categories", *(number for name, number in there.items() if name != ours[0]))

    def owner_pictures(self) -> None:
        """He puts one of his own before the others."""
        images = self.woo.rest("GET", f"products/{self.id}")["images"]
        mine = f"his-{len(self.pictures)}"
        self.pictures.append(mine)
        source = {"src": f"https://img.test/{mine}.jpg"}
        self.woo.edit(self.id, images=[source, *({"id": one["id"]} for one in images)])

    def settled(self) -> None:
        self.woo.tidy("")
        result = push(self.woo.connect(), self.wanted)[self.wanted.key]
        assert result.problems == {}
        self.wanted = known(self.wanted, result)
        assert {*self.now("tags")} == self.tags | {*self.wanted.tags}
        assert {*self.now("categories")} == self.places | (set() if self.out_of else {*self.wanted.category})
        images = self.woo.rest("GET", f"products/{self.id}")["images"]
        names = [str(image["name"]) for image in images]
        assert [name for name in names if not name.startswith("his")] == [
            url[-5] for url in self.wanted.images
        ]
        assert sorted(name for name in names if name.startswith("his")) == sorted(self.pictures)
        self.woo.tidy("")
        push(self.woo.connect(), self.wanted)
        assert sum(call["path"].endswith("/batch") for call in self.woo.calls()) == 1, "nothing is sent again"


def walk(woo: WooRig, make: Make, seed: int) -> None:
    print(f"seed {seed}")
    page = Page(woo, make, random.Random(seed))
    for _ in range(12):
        page.step()
    page.settled()


@pytest.mark.parametrize("seed", range(4))
def test_his_stay_and_ours_are_what_is_wanted(woo: WooRig, make: Make, seed: int) -> None:
    walk(woo, make, seed)


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(4, 44))
def test_his_stay_whatever_happens(woo: WooRig, make: Make, seed: int) -> None:
    walk(woo, make, seed)
