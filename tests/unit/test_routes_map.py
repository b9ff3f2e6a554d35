"""The map is whole: every event has a route, every step a test, and no two lines mean the same message."""

import ast
import inspect
import re
from collections import Counter
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

import models.events
from core.database import Event, Route
from pipelines.routes import ROUTES

TESTS = Path(__file__).resolve().parents[1]
EVENTS = [
    kind
    for _, kind in inspect.getmembers(models.events, inspect.isclass)
    if issubclass(kind, Event) and kind is not Event
]
BY_NAME = pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.event.__name__}→{route.name}")


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_every_event_has_a_route_and_carries_ids_only(kind: type[Event]) -> None:
    assert any(route.event is kind for route in ROUTES)
    assert is_dataclass(kind)
    assert {field.type for field in fields(kind)} <= {int, str, "int", "str"}


def test_no_event_outside_the_vocabulary() -> None:
    assert {route.event for route in ROUTES} == set(EVENTS)


def test_a_step_and_its_event_name_one_route() -> None:
    twice = [
        key
        for key, count in Counter((route.name, route.event.__name__) for route in ROUTES).items()
        if count > 1
    ]
    assert twice == []


def test_queues_stay_few() -> None:
    assert len({route.queue for route in ROUTES}) <= 8  # each costs every worker a connection and two threads


@BY_NAME
def test_a_route_names_its_step_and_keeps_its_limits(route: Route) -> None:
    assert re.fullmatch(r"(feeds|catalogue|listings|orders|settlement)(\.[a-z_]+){2,}", route.name)
    assert re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9._-]*", route.queue)
    assert 0 <= route.retries <= 20
    assert 0 < route.seconds <= 1_200  # RabbitMQ waits 30 minutes for an acknowledgement
    assert list(inspect.signature(route.step).parameters)[:2] == ["event", "db"]


@BY_NAME
def test_every_step_has_a_test(route: Route) -> None:
    """A test that imports the step, or that names it among the steps it saw running."""
    module, name = route.step.__module__, route.step.__name__  # type: ignore[attr-defined]
    texts = [file.read_text() for file in TESTS.rglob("test_*.py")]
    assert any((module, name) in _imported(text) or f'"{route.name}"' in text for text in texts), (
        f"no test imports {name} from {module} or names {route.name}"
    )


def _imported(text: str) -> set[tuple[str, str]]:
    return {
        (node.module, alias.name)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
