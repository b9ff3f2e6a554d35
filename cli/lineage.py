"""`entrepot lineage SKU`: from what shops list back to the supplier's record; `entrepot offer`: split and join by hand."""

from decimal import Decimal
from typing import Annotated, Any

import typer

from cli.output import AsJson, hub, narrow, show
from core.settings import load
from pipelines.listings.pricing.explained import told as price_told

OPERATOR = "the command line"
OfferNumber = Annotated[int, typer.Argument(min=1, max=2**31 - 1, help="The offer's number; `entrepot lineage` shows it.")]  # fmt: skip

offer = typer.Typer(no_args_is_help=True, help="Offers: which variant each belongs to, by hand.")


def why(
    sku: Annotated[str, typer.Argument(help="A SKU, a GTIN, or a supplier's own number.")],
    record: Annotated[bool, typer.Option(help="Read the supplier's record from the archived file too.")] = True,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Listing, variant, best offer and why, match, run, file, mapping version, each field, the record as received."""
    from pipelines.feeds.lineage import find_variant, lineage, record_of

    with hub() as db:
        with db.unit_of_work() as uow:
            found = lineage(uow.session, find_variant(uow.session, sku))
        found["record"] = record_of(db, load(), found["offers"][0]["id"]) if record and found["offers"] else None  # fmt: skip
    if as_json:
        show(found, True)
        return
    show(_for_people(found), False)


@offer.command("join")
def join(
    number: OfferNumber,
    sku: Annotated[str, typer.Argument(help="The SKU of the variant it is to belong to.")],
    as_json: AsJson = False,
) -> None:
    """Joins an offer to another variant. No later run undoes it; shops follow by themselves."""
    from pipelines.catalogue.by_hand import move
    from pipelines.feeds.lineage import find_variant

    with hub() as db, db.unit_of_work() as uow:
        moved = move(uow, number, find_variant(uow.session, sku).id, OPERATOR)
    show({"offer": moved.offer_id, "before": moved.before, "after": moved.after}, as_json)


@offer.command("split")
def split_off(number: OfferNumber, as_json: AsJson = False) -> None:
    """Gives an offer a variant of its own. No later run undoes it; shops follow by themselves."""
    from pipelines.catalogue.by_hand import split

    with hub() as db, db.unit_of_work() as uow:
        moved = split(uow, number, OPERATOR)
    show({"offer": moved.offer_id, "before": moved.before, "after": moved.after}, as_json)


def _for_people(found: dict[str, Any]) -> dict[str, Any]:
    """The chain as facts, from the listing's variant down to the file; then who else offers it, and each field."""
    variant, record = found["variant"], found["record"] or {}
    told: dict[str, Any] = {name: variant[name] for name in ("sku", "title", "gtin")}
    told["category"] = found["product"]["category"]
    if found["offers"]:
        best = found["offers"][0]
        told |= {
            "best_offer": f"{best['supplier']} {best['supplier_sku']}, {_amount(best['cost'], best['currency']) or 'no cost'}", "because": best["why"],
            "belongs_here": best["match"], "record": f"{best['locator']} of {best['file']}", "run": best["run"],
            "mapping_version": best["mapping_version"], **({"problem": record["problem"]} if record.get("problem") else {}),
        }  # fmt: skip
    told["listings"] = narrow(found["listings"], "shop", "state", "price", "currency")
    steps = [
        {"shop": row["shop"], "step": sentence}
        for row in found["listings"]
        for sentence in price_told(row["why"], row["currency"] or row["why"].get("currency") or "")
    ]
    told |= {"price_steps": steps} if steps else {}
    told["offers"] = [
        {
            "offer": row["id"], "supplier": f"{row['supplier']} {row['supplier_sku']}", "asks": _amount(row["cost"], row["currency"]),
            "free": row["free"], "why": row["why"],
        }
        for row in found["offers"]
    ]  # fmt: skip
    if record.get("fields"):
        told["fields"] = [
            {"field": row["field"], "column": " | ".join(row["raw"]) or ", ".join(row["columns"]), "received": " | ".join(row["raw"].values()), "value": row["value"]}
            for row in record["fields"]
        ]  # fmt: skip
    return told


def _amount(cost: Decimal | None, currency: str | None) -> str | None:
    return None if cost is None else f"{cost.normalize():f} {currency or ''}".strip()
