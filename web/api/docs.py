"""The API's manual as a page of the console: made from its OpenAPI document, with nothing from other hosts."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from web.deps import Session, page

router = APIRouter()


@router.get("/api/v1/docs")
def show(request: Request, session: Session) -> Response:
    """Every route of the API, by subject."""
    document = request.app.openapi()
    subjects: dict[str, list[dict[str, Any]]] = {}
    for address, methods in document["paths"].items():
        for method, route in methods.items():
            subjects.setdefault(route["tags"][0], []).append(
                {**route, "method": method.upper(), "address": address, "body": body_of(route, document)}
            )
    return page(
        request,
        "api_docs.html",
        title="REST API",
        subjects=subjects,
        type_of=type_of,
        base=str(request.base_url),
    )


def body_of(route: dict[str, Any], document: dict[str, Any]) -> list[dict[str, Any]]:
    """The fields of a route's JSON body: name, type, whether it must be there; [] where it takes none."""
    content = route.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return []
    schema = document["components"]["schemas"][content["schema"]["$ref"].rsplit("/", 1)[1]]
    needed = schema.get("required", [])
    return [
        {"name": name, "type": type_of(field), "needed": name in needed}
        for name, field in schema["properties"].items()
    ]


def type_of(schema: dict[str, Any]) -> str:
    """A field's type in a word: "string", "integer or null", "object"."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(type_of(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    return "object" if "$ref" in schema else str(schema.get("type", "any"))
