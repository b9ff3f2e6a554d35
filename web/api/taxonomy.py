"""/api/v1: suppliers' categories in the words of Google's taxonomy."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from pipelines.catalogue.taxonomy import choose, load, read_taxonomy
from web.api.keys import FileSent, Limit, takes_file
from web.deps import Db
from web.queries.taxonomy import found_categories, paths

router = APIRouter(tags=["Catalogue"])
API = "the API"


class CategoryView(BaseModel):
    """A category of the taxonomy."""

    id: int
    path: str


class PathView(BaseModel):
    """A path that suppliers use, and what it means. Only what is no proposal is used."""

    path: str
    how: Literal["exact", "learned", "person", "proposal"]
    suppliers: list[str]
    taxonomy_id: int | None
    category: str | None
    confidence: float
    products: int


class Paths(BaseModel):
    """Paths, those with most products first."""

    paths: list[PathView]


class Categories(BaseModel):
    """Categories that have all the words."""

    categories: list[CategoryView]


class Choice(BaseModel):
    """What a path means; `taxonomy_id` null: no category fits. Without a supplier it is said for all."""

    model_config = ConfigDict(extra="forbid")
    path: str = Field(max_length=500)
    taxonomy_id: int | None
    supplier_id: int | None = None


class Settled(BaseModel):
    """How many suppliers' paths the choice settled."""

    settled: int


class LoadedView(BaseModel):
    """`waiting` paths have no category yet."""

    categories: int
    removed: int
    waiting: int


@router.get("/taxonomy/paths")
def list_paths(
    db: Db, how: Literal["exact", "learned", "person", "proposal"] | None = None, q: Annotated[str, Query(max_length=200)] = "",
    start: Annotated[int, Query(ge=0, le=1_000_000)] = 0, limit: Limit = 50,
) -> Paths:  # fmt: skip
    """Suppliers' own paths; `how=proposal` are those that wait for a person."""
    with db.unit_of_work() as uow:
        rows = paths(uow.cursor(), how or "", q, start, limit)
    return Paths(paths=[PathView.model_validate(row) for row in rows])


@router.get("/taxonomy/categories")
def list_categories(db: Db, q: Annotated[str, Query(min_length=1, max_length=200)], limit: Limit = 20) -> Categories:  # fmt: skip
    """Categories of the taxonomy by words of their paths, or by number."""
    with db.unit_of_work() as uow:
        rows = found_categories(uow.session, q, limit)
    return Categories(categories=[CategoryView.model_validate(dict(row)) for row in rows])


@router.post("/taxonomy/choices", status_code=202)
def make_choice(db: Db, body: Choice) -> Settled:
    """Says what a path means; other suppliers' same path learns from it, and the products follow by themselves."""
    with db.unit_of_work() as uow:
        return Settled(settled=choose(uow, body.path, body.taxonomy_id, API, body.supplier_id))


@router.put("/taxonomy", openapi_extra=takes_file("text/plain"))
def put_taxonomy(db: Db, content: FileSent) -> LoadedView:
    """Makes the file ("id - A > B" a line, as Google publishes it) the taxonomy; what persons chose stays."""
    lines = content.decode("utf-8-sig", errors="replace").splitlines()
    with db.unit_of_work() as uow:
        return LoadedView.model_validate(load(uow, read_taxonomy(lines)), from_attributes=True)
