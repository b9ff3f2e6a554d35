"""Whatever the owner, the hub and the line do to a page's tags and collections: his stay, ours are what is wanted."""

import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from connectors.base import ProductDraft
from core.errors import Temporary
from tests.contract.shopify_rig import ShopifyRig, sandbox_shopify
from tests.contract.shops import PATIENCE, Make, push, read
from tests.contract.test_shopify_sorting import LOOK, SHELF

TAGS = ("a", "b", "c", "d")
FIELDS = ("tagsRemove", "productUpdate", "tagsAdd", "productSet", "product")
KINDS = ("drop_before", "drop_after", "cut")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShopifyRig]:
    with sandbox_shopify(tmp_path_factory.mktemp("shop")) as rig:
        yield rig


class Page:
    """A page of the owner's own that became the hub's, with what is his in the test's own memory."""

    def __init__(self, rig: ShopifyRig, make: Make, dice: random.Random) -> None:
        self.rig, self.dice, prefix = rig, dice, make.prefix
        self.id = rig.stranger(f"{prefix}-1")
        self.shelves = [f"{prefix} {name}" for name in ("One", "Two", "Three")]
        self.ids = {title: rig.switch("collection", title=title)["id"] for title in self.shelves}
        self.tags = {tag for tag in TAGS if dice.random() < 0.3} | {"his"}
        self.places = {title for title in self.shelves if dice.random() < 0.2}
        self.out_of: set[str] = set()
        joined = [self.ids[title] for title in self.places]
        rig.graphql(SHELF, product={"id": self.id, "tags": sorted(self.tags), "collectionsToJoin": joined})
        (held,) = read(rig.connect(), self.id).values()
        variant = replace(make.simple(1).variants[0], external_id=held.external_id)
        self.wanted: ProductDraft = replace(make.simple(1), external_id=self.id, variants=(variant,))

    def now(self) -> tuple[set[str], set[str]]:
        found = self.rig.graphql(LOOK, id=self.id)
        return set(found["tags"]), {one["title"] for one in found["collections"]["nodes"]}

    def step(self) -> None:
        acts = (*["hub"] * 8, *["owner_tags"] * 4, *["owner_shelves"] * 2, "owner_takes_out")
        getattr(self, self.dice.choice(acts))()

    def hub(self) -> None:
        """Wants something, over a line that may fail for a while."""
        dice = self.dice
        tags = tuple(tag for tag in TAGS if dice.random() < 0.5)
        category = (dice.choice(self.shelves),) if dice.random() < 0.8 else ()
        self.wanted = replace(self.wanted, tags=tags, category=category)
        if dice.random() < 0.6:
            self.rig.fail(dice.choice(KINDS), field=dice.choice(FIELDS), times=dice.choice((1, 1, 9)))
        with suppress(Temporary):
            push(self.rig.connect(patience=PATIENCE), self.wanted)
        self.rig.shop.faults.clear()

    def owner_tags(self) -> None:
        """He gives it a tag of his own, or takes off one of the hub's, which comes back where it is wanted."""
        there, _ = self.now()
        if self.dice.random() < 0.5:
            mine = f"his {self.dice.randrange(5)}"
            self.tags.add(mine)
            self.rig.edit(self.id, tags=sorted({*there, mine}))
        elif gone := sorted(there - self.tags):
            self.rig.edit(self.id, tags=sorted(there - {self.dice.choice(gone)}))

    def owner_shelves(self) -> None:
        """He puts it into a collection where it was not, and that is his place from then on. Not into one he just took it out
        of: nobody could tell that from leaving it there."""
        _, there = self.now()
        if free := sorted({*self.shelves} - there - self.out_of):
            title = self.dice.choice(free)
            self.places.add(title)
            self.rig.graphql(SHELF, product={"id": self.id, "collectionsToJoin": [self.ids[title]]})

    def owner_takes_out(self) -> None:
        """He takes it out of the hub's collection: from then on it stands where he puts it."""
        _, there = self.now()
        if ours := sorted(there - self.places):
            self.out_of = {ours[0]}
            self.rig.graphql(SHELF, product={"id": self.id, "collectionsToLeave": [self.ids[ours[0]]]})

    def settled(self) -> None:
        self.rig.shop.faults.clear()
        assert push(self.rig.connect(), self.wanted)[self.wanted.key].problems == {}
        tags, places = self.now()
        assert tags == self.tags | {*self.wanted.tags}
        assert places == self.places | (set() if self.out_of else {*self.wanted.category})
        self.rig.tidy("")
        push(self.rig.connect(), self.wanted)
        changed = {name for call in self.rig.calls() for name in call["fields"]} & {"tagsAdd", "tagsRemove", "productUpdate"}  # fmt: skip
        assert changed == set(), "what is right is not sent again"


def walk(rig: ShopifyRig, make: Make, seed: int) -> None:
    print(f"seed {seed}")
    page = Page(rig, make, random.Random(seed))
    for _ in range(12):
        page.step()
    page.settled()


@pytest.mark.parametrize("seed", range(5))
def test_his_stay_and_ours_are_what_is_wanted(rig: ShopifyRig, make: Make, seed: int) -> None:
    walk(rig, make, seed)


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(5, 205))
def test_his_stay_whatever_happens(rig: ShopifyRig, make: Make, seed: int) -> None:
    walk(rig, make, seed)
