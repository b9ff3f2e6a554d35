"""docs/mapping.md is true: each example of its tables is run, and no operation is missing."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from pipelines.feeds.mapping import document as documents
from pipelines.feeds.mapping.arithmetic import calculated
from pipelines.feeds.mapping.checking import operations
from pipelines.feeds.mapping.columns import Column
from pipelines.feeds.mapping.operations import OPERATIONS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "mapping.md").read_text("utf-8")
DIALECT = {"format": "csv", "encoding": "utf-8", "missingValues": []}
EMPTY: dict[str, Any] = {
    "version": 1,
    "profile": "generic",
    "dialect": DIALECT,
    "key": ["supplier_sku"],
    "fields": {},
}


def table(head: str) -> list[list[str]]:
    """The rows of the table that begins with these columns, code marks taken off."""
    _, _, rest = PAGE.partition(f"| {head} |\n")
    rows = []
    for line in rest.splitlines()[1:]:
        if not line.startswith("|"):
            break
        cells = re.split(r"(?<!\\)\|", line)[1:-1]
        rows.append([cell.strip().replace("\\|", "|") for cell in cells])
    assert rows, head
    return rows


def code(cell: str) -> str | None:
    return None if cell == "nothing" else cell.strip("`").replace("·", " ")


EXAMPLES = table("operation | in | out")


@pytest.mark.parametrize(("operation", "given", "result"), EXAMPLES, ids=[f"{o} {i}" for o, i, _ in EXAMPLES])
def test_each_example_of_an_operation(operation: str, given: str, result: str) -> None:
    parsed = yaml.safe_load(str(code(operation)))
    name, argument = (parsed, None) if isinstance(parsed, str) else next(iter(parsed.items()))
    text, wanted = code(given), code(result)
    typed = text is not None and text.startswith("[")
    values = pd.Series([json.loads(str(text))], dtype=object) if typed else pd.Series([text], dtype="str")
    column = Column(values, values)
    OPERATIONS[name](column, argument)
    (value,) = column.values.tolist()
    if wanted is None:
        assert pd.isna(value)
    elif isinstance(value, bool):
        assert str(value).lower() == wanted
    else:
        assert value == (json.loads(wanted) if isinstance(value, list) else type(value)(wanted))
    documents.check({**EMPTY, "fields": {"brand": {"from": ["b"], "operations": [parsed]}}})


def test_no_operation_is_left_out() -> None:
    shown = {
        next(iter(p)) if isinstance(p := yaml.safe_load(str(code(row[0]))), dict) else p for row in EXAMPLES
    }
    assert shown == set(OPERATIONS) == set(operations())


@pytest.mark.parametrize(("steps", "given", "result"), table("steps | in | out"))
def test_each_example_of_arithmetic(steps: str, given: str, result: str) -> None:
    parsed = yaml.safe_load(str(code(steps)))
    assert calculated([code(given)], parsed, whole=False) == [code(result)]
    documents.check({**EMPTY, "rules": [{"then": {"field": "price", **parsed}}]})


def test_every_condition_consequence_and_source_is_one_of_ours() -> None:
    assert [len(table(name)) > 2 for name in ("when | is met where", "then | does", "source | means")] == [
        True
    ] * 3
    for row in table("when | is met where"):
        documents.check({**EMPTY, "rules": [{"when": yaml.safe_load(str(code(row[0]))), "then": "skip"}]})
    for row in table("then | does"):
        documents.check({**EMPTY, "rules": [{"then": yaml.safe_load(str(code(row[0])))}]})
    for row in table("source | means"):
        documents.check({**EMPTY, "fields": {"title": {"from": [yaml.safe_load(str(code(row[0])))]}}})


def test_the_whole_example_is_a_mapping() -> None:
    found = re.search(r"```yaml\n(.*?)```", PAGE, re.S)
    assert found
    documents.check(yaml.safe_load(found[1]))
