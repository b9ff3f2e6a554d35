"""What a seller wants of a shop, as a form: texts by pattern, categories, how much stock to show, limits."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from core.errors import Refused, there_is
from models.shops import Shop
from pipelines.listings.settings import ShopSettings, change, settings_of
from pipelines.listings.templates import NAMES
from web.deps import CheckedForm, Db, Session, go, page

router = APIRouter(prefix="/shops/{shop_id}/settings")


async def sent_fields(request: Request) -> Mapping[str, str]:
    """A form of many fields as it was sent."""
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


@router.get("")
def show(request: Request, db: Db, session: Session, shop_id: int) -> Response:
    """The settings as they are."""
    with db.unit_of_work() as uow:
        shop = there_is(uow.session.get(Shop, shop_id), f"Shop {shop_id}")
        uow.session.expunge_all()
    return _form(request, shop, to_form(settings_of(shop)))


@router.post("")
def store(
    request: Request,
    db: Db,
    session: CheckedForm,
    shop_id: int,
    form: Annotated[Mapping[str, str], Depends(sent_fields)],
) -> Response:
    """Stores them, and what the shop should hold is planned anew; else the form again, with the field at fault."""
    try:
        with db.unit_of_work() as uow:
            change(uow, shop_id, from_form(form))
    except Refused as error:
        if error.rule != "setting":
            raise
        with db.unit_of_work() as uow:
            shop = uow.session.get_one(Shop, shop_id)
            uow.session.expunge_all()
        return _form(request, shop, form, str(error))
    return go(f"/shops/{shop_id}", "settings")


def _form(request: Request, shop: Shop, given: Mapping[str, str], refused: str | None = None) -> Response:
    return page(
        request, "shop_settings.html", status=422 if refused else 200, title=f"Settings of {shop.name}", shop=shop, given=given,
        usual=ShopSettings(), names=NAMES, refused=refused,
    )  # fmt: skip


def from_form(form: Mapping[str, str]) -> dict[str, Any]:
    """A form's words as values; an empty field goes back to the usual. Raises Refused naming the line at fault."""
    asked: dict[str, Any] = {}
    for name in ShopSettings.model_fields:
        text = form.get(name, "").strip()
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if name == "tags":
            asked[name] = lines or None
        elif name == "categories":
            asked[name] = dict(_pair(line) for line in lines) or None
        elif name == "prices_include_tax":
            asked[name] = {"yes": True, "no": False}.get(text)
        elif name in ("weight", "tax_percent"):
            asked[name] = text.replace(",", ".") or None
        else:
            asked[name] = text or None
    return asked


def to_form(wanted: ShopSettings) -> dict[str, str]:
    """The settings as a form shows them; what is as usual is empty."""
    shown = {
        name: str(value) for name, value in wanted.model_dump(mode="json", exclude_defaults=True).items()
    }
    shown["tags"] = "\n".join(wanted.tags)
    shown["categories"] = "\n".join(f"{theirs} = {ours}" for theirs, ours in wanted.categories.items())
    shown["prices_include_tax"] = {True: "yes", False: "no", None: ""}[wanted.prices_include_tax]
    return shown


def _pair(line: str) -> tuple[str, str]:
    theirs, equals, ours = line.partition("=")
    if not equals or not theirs.strip() or not ours.strip():
        raise Refused(
            f"categories: {line!r} is no pair: write supplier's > path = shop's > path.", rule="setting"
        )
    return theirs.strip(), ours.strip()
