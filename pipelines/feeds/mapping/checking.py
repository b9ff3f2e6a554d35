"""Whether a document is one of ours: the schema is the documentation, and an error names the place and what is allowed."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import jsonschema

from core.errors import Refused
from pipelines.feeds.mapping.patterns import check_pattern

_FOLDER = Path(__file__).parent
PAIRS = ("options", "attributes", "titles", "descriptions", "cost_tiers")
"""Fields of names and values, read from pairs; no other is."""
_TYPES = {
    "string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false", "array": "a list",
    "object": "names with values", "null": "nothing",
}  # fmt: skip


@lru_cache(1)
def schema() -> dict[str, Any]:
    """The JSON Schema of a mapping document, every part with its title and description."""
    whole: dict[str, Any] = json.loads((_FOLDER / "schema.json").read_text("utf-8"))
    for part in ("schema_operations.json", "schema_rules.json", "schema_records.json"):
        whole["$defs"].update(json.loads((_FOLDER / part).read_text("utf-8")))
    return whole


def operations() -> dict[str, dict[str, Any]]:
    """Every operation with its title, description, argument's schema and an example of the argument."""
    called: dict[str, dict[str, Any]] = schema()["$defs"]["operation"]["oneOf"][1]["properties"]
    return called


def check(document: Mapping[str, Any]) -> None:
    """Raises Refused, naming the place and what is allowed there, where the document is not one of ours."""
    error = jsonschema.exceptions.best_match(_validator().iter_errors(document), key=_relevance)
    if error is not None:
        place, sentence = explained(error)
        raise Refused(f"The mapping is not usable: {place}: {sentence}.", rule="mapping_invalid")
    for field, spec in document["fields"].items():
        if spec and ("pairs" in spec) != (field in PAIRS):
            wanted = "`pairs` of a name and a column" if field in PAIRS else "`from` with its columns"
            raise Refused(
                f"The mapping is not usable: fields.{field}: give {wanted}.", rule="mapping_invalid"
            )
    for place, pattern in _patterns(document):
        try:
            check_pattern(pattern)
        except Refused as refusal:
            raise Refused(f"The mapping is not usable: {place}: {refusal}", rule="mapping_invalid") from None


def explained(error: jsonschema.ValidationError) -> tuple[str, str]:
    """(the place, like "fields.title.operations[0]", and a sentence about what is wrong and what is allowed)."""
    while error.validator in ("oneOf", "anyOf") and error.context:
        if all(one.validator == "required" and not one.relative_path for one in error.context):
            names = dict.fromkeys(str(cast(list[Any], one.validator_value)[0]) for one in error.context)
            return _place(error.absolute_path), f"give exactly one of {', '.join(names)}"
        error = _nearest(error)
    return _place(error.absolute_path), _sentence(error)


def _sentence(error: jsonschema.ValidationError) -> str:
    said: Any = error.instance
    wanted: Any = error.validator_value
    if error.validator == "enum":
        return f"{said!r} is not known here; there are {', '.join(map(str, wanted))}"
    if error.validator == "additionalProperties":
        known = list(cast(dict[str, Any], error.schema)["properties"])
        unknown = ", ".join(repr(name) for name in said if name not in known)
        return f"there is no {unknown} here; there are {', '.join(known)}"
    if error.validator == "required":
        missing = ", ".join(repr(name) for name in wanted if name not in said)
        return f"{missing} is missing"
    if error.validator == "oneOf":
        both = [
            one["required"][0] for one in wanted if "required" in one and set(one["required"]) <= set(said)
        ]
        return f"give only one of {', '.join(both)}" if both else error.message
    if error.validator == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        return f"{said!r} is not {' or '.join(_TYPES[kind] for kind in kinds)}"
    if error.validator == "pattern":
        return f"{said!r} is not written as it must be ({wanted})"
    if error.validator == "const":
        return f"{said!r} must be {wanted!r}"
    if error.validator in ("minItems", "minProperties") and not said:
        return "it is empty; give at least one"
    return str(error.message)


def _nearest(error: jsonschema.ValidationError) -> jsonschema.ValidationError:
    """Of the alternatives that failed the one that was meant: its kind fits, and it failed the deepest."""
    branches: dict[Any, list[jsonschema.ValidationError]] = {}
    for one in error.context:
        branches.setdefault(one.schema_path[0], []).append(one)
    fitting = [
        found for found in branches.values()
        if not any(one.validator == "type" and not one.relative_path for one in found)
    ] or list(branches.values())  # fmt: skip
    if isinstance(error.instance, dict):  # a list of bare words is not meant where names with values stand
        fitting = [found for found in fitting if found[0].validator != "enum"] or fitting
        named = [
            found
            for found in fitting
            if not any(o.validator == "required" and not o.relative_path for o in found)
        ]
        fitting = named or fitting
    best = max(fitting, key=lambda found: max(len(one.relative_path) for one in found))
    return max(best, key=lambda one: (len(one.relative_path), one.validator == "additionalProperties"))


def _relevance(error: jsonschema.ValidationError) -> Any:
    return jsonschema.exceptions.relevance(error)


def _place(path: Iterable[str | int]) -> str:
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return place.removeprefix(".") or "the document"


def _patterns(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every RE2 pattern of the document with its place."""
    for field, spec in document["fields"].items():
        for number, operation in enumerate((spec or {}).get("operations", [])):
            if isinstance(operation, Mapping) and "regex" in operation:
                yield f"fields.{field}.operations[{number}]", operation["regex"]["find"]
    for number, rule in enumerate(document.get("rules", [])):
        for condition in conditions(rule.get("when", {})):
            if "matches" in condition:
                yield f"rules[{number}].when", condition["matches"]


def conditions(when: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The conditions of a rule without their `all` and `any`, in order."""
    for several in ("all", "any"):
        if several in when:
            return [leaf for one in when[several] for leaf in conditions(one)]
    return [when] if when else []


@lru_cache(1)
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema())
