"""docker-compose.yml, Dockerfile and .env.example are held to what can be checked without an engine."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from core.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[2]
HUB = {"migrate", "web", "worker", "relay", "scheduler"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json.loads((Path(__file__).parent / "compose-spec.json").read_text())


def test_compose_file_keeps_the_published_schema(compose: dict[str, Any], schema: dict[str, Any]) -> None:
    assert [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(compose)] == []


def test_the_schema_refuses_what_compose_would_refuse(
    compose: dict[str, Any], schema: dict[str, Any]
) -> None:
    wrong = compose | {"services": compose["services"] | {"web": {"image": "x", "prots": ["8010"]}}}
    with pytest.raises(jsonschema.ValidationError, match="'prots' was unexpected"):
        jsonschema.Draft202012Validator(schema).validate(wrong)


def test_services_and_their_order(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == HUB | {"postgres", "rabbitmq"}
    assert {name: services[name]["command"] for name in HUB} == {
        "migrate": ["entrepot", "migrate"],
        "web": ["entrepot", "serve"],
        "worker": ["entrepot", "worker"],
        "relay": ["entrepot", "relay"],
        "scheduler": ["entrepot", "schedule"],
    }
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in HUB - {"migrate"}:
        assert services[name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"},
            "rabbitmq": {"condition": "service_healthy"},
        }
    assert all("healthcheck" in services[name] for name in ("postgres", "rabbitmq", "web"))


def test_only_the_console_is_reachable_and_only_from_this_machine(compose: dict[str, Any]) -> None:
    ports = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert ports == {"web": ["127.0.0.1:${ENTREPOT_PORT:-8010}:8010"]}


def test_no_secret_is_written_down(compose: dict[str, Any]) -> None:
    text = (CHECKOUT / "docker-compose.yml").read_text()
    for name in ("POSTGRES_PASSWORD", "RABBITMQ_PASSWORD"):
        assert re.search(rf"^{name}=$", (CHECKOUT / ".env.example").read_text(), re.M)
        uses = re.findall(rf"\$\{{?{name}[^}}]*\}}?", text)
        assert uses == [f"${{{name}:?set {name} in .env}}"] * 2
    assert compose["services"]["rabbitmq"]["environment"]["RABBITMQ_DEFAULT_PASS"].startswith(
        "${RABBITMQ_PASSWORD:?"
    )


def test_named_volumes_are_declared(compose: dict[str, Any]) -> None:
    used = {
        each.split(":")[0] for service in compose["services"].values() for each in service.get("volumes", [])
    }
    assert used == set(compose["volumes"])


def test_env_example_documents_every_setting_with_its_default() -> None:
    written = dict(re.findall(r"^#?(ENTREPOT_[A-Z_]+)=(.*)$", (CHECKOUT / ".env.example").read_text(), re.M))
    assert set(written) == {f"ENTREPOT_{name.upper()}" for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        if field.default and name != "data":
            assert written[f"ENTREPOT_{name.upper()}"] == str(field.default), name


def test_image_installs_the_runtime_lock_by_hash_and_runs_as_nobody_special() -> None:
    text = (CHECKOUT / "Dockerfile").read_text()
    assert re.findall(r"pip install (.*?) \\\n", text) == [
        "--no-cache-dir --disable-pip-version-check --require-hashes --no-deps -r /tmp/requirements.lock"
    ]
    assert re.findall(r"^USER (.*)$", text, re.M) == ["entrepot"]
    ignored = (CHECKOUT / ".dockerignore").read_text().splitlines()
    assert {".env", ".git", "var", ".venv"} <= set(ignored)
