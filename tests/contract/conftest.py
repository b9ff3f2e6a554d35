"""The shops every contract test runs against: one per channel and module, tidied before and after each test."""

import secrets
from collections.abc import Iterator

import pytest

from sandbox.woocommerce.shop import Shop
from tests.contract.shops import RIGS, Make, Rig, WooRig


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test against every shop; a module that says CHANNEL against those of its channel, live ones too."""
    if "running" in metafunc.fixturenames and not hasattr(metafunc.module, "running"):
        channel = getattr(metafunc.module, "CHANNEL", "")
        names = [name for name in RIGS if name.endswith(channel)]
        metafunc.parametrize("running", names, indirect=True, scope="module")


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with RIGS[request.param](tmp_path_factory.mktemp("shop")) as rig:
        yield rig


@pytest.fixture
def prefix() -> str:
    """Begins every SKU of one test, so that tests share a shop and a live one can be tidied."""
    return f"CT{secrets.token_hex(4)}"


@pytest.fixture
def rig(running: Rig, prefix: str) -> Iterator[Rig]:
    yield running
    running.tidy(prefix)


@pytest.fixture
def faulty(rig: Rig) -> Rig:
    if not rig.can_fail:
        pytest.skip("a live shop's faults cannot be switched")
    return rig


@pytest.fixture
def make(rig: Rig, prefix: str) -> Make:
    return Make(prefix, rig.connect().check().currency)


@pytest.fixture
def woo(rig: Rig) -> WooRig:
    assert isinstance(rig, WooRig), "a test of one channel stands in a module that says CHANNEL"
    return rig


@pytest.fixture
def sandbox(woo: WooRig) -> Shop:
    if woo.sandbox is None:
        pytest.skip("a live shop")
    return woo.sandbox
