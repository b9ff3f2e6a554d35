"""A shop's own certificate authority is kept as it was given, once, and nothing else is."""

from pathlib import Path

import pytest

from core.errors import Misconfigured, Refused
from core.settings import Settings
from pipelines.authority import keep_authority
from sandbox.woocommerce.shop import Shop as Woo


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> str:
    with Woo(tmp_path_factory.mktemp("woo")) as shop:
        return Path(shop.ca_file).read_text()


def of(folder: Path) -> Settings:
    return Settings(data=folder)


def test_the_same_authority_is_the_same_file_whatever_stands_around_it(tmp_path: Path, pem: str) -> None:
    kept = keep_authority(of(tmp_path), pem)
    assert kept is not None and Path(kept).read_text() == pem.strip() + "\n"
    assert Path(kept).parent == tmp_path / "authorities"
    around = f"Bag Attributes\n  friendlyName: shop\n{pem}\n".replace("\n", "\r\n")
    assert keep_authority(of(tmp_path), around) == kept
    twice = keep_authority(of(tmp_path), pem + pem)
    assert twice is not None and twice != kept and Path(twice).read_text() == 2 * (pem.strip() + "\n")
    assert len(list((tmp_path / "authorities").iterdir())) == 2


@pytest.mark.parametrize("nothing", [None, "", " \n "])
def test_nothing_is_nothing(tmp_path: Path, nothing: str | None) -> None:
    assert keep_authority(of(tmp_path), nothing) is None
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_authority_is_refused_and_not_kept(tmp_path: Path, pem: str) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    broken = pem[:200] + pem[260:]
    for text, words in (
        ("hello", "no certificate authority"), (pem[:300], "no certificate authority"), (pem + key, "private key"),
        (broken, "cannot be read"), ("x" * 300_000 + pem, "no certificate authority"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=words):
            keep_authority(of(tmp_path), text)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, pem: str) -> None:
    (tmp_path / "authorities").write_text("in the way")
    with pytest.raises(Misconfigured, match="cannot be kept in"):
        keep_authority(of(tmp_path), pem)
