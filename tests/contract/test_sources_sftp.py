"""An SFTP server is believed only by its pinned key; the newest complete file comes, and what was taken is put aside."""

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from connectors.base import LandedFile
from connectors.sources.sftp import SftpFolder, private_key
from core.errors import Misconfigured, Temporary
from tests.contract.source_rigs import access
from tests.sftp_server import PASSWORD, USER, SftpHost, sftp_host

NOON = 1_700_000_000


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SftpHost]:
    (tmp_path / "served").mkdir()
    with sftp_host(tmp_path / "served") as made:
        yield made


def put(host: SftpHost, name: str, content: str = "sku;title\n", minute: int = 0) -> Path:
    file = host.root / name
    file.write_text(content)
    os.utime(file, (NOON + 60 * minute, NOON + 60 * minute))
    return file


class Look:
    """Looks at the host as one feed does."""

    def __init__(self, host: SftpHost, into: Path, **options: Any) -> None:
        self.host, self.into, self.options = host, into, options
        self.last: str | None = None
        self.state: dict[str, Any] = {}
        self.secret: dict[str, str] = {"secret": PASSWORD}
        self.waited: list[float] = []
        self.during: Callable[[], object] = lambda: None

    def source(self) -> SftpFolder:
        def wait(seconds: float) -> None:
            self.waited.append(seconds)
            self.during()

        options = {
            "fingerprint": self.host.fingerprint,
            "pattern": "*.csv",
            "wait": wait,
            "seconds": 5.0,
            **self.options,
        }
        return SftpFolder(
            "127.0.0.1", USER, port=self.host.port, access=access(self.secret, self.state), **options
        )

    def __call__(self) -> LandedFile | None:
        source = self.source()
        landed = source.fetch(self.into, self.last)
        self.state, self.last = source.remembered, landed.sha256 if landed else self.last
        return landed

    def name(self) -> str | None:
        landed = self()
        return landed.name if landed else None


@pytest.fixture
def look(host: SftpHost, tmp_path: Path) -> Look:
    return Look(host, tmp_path / "archive")


def test_before_the_key_is_pinned_nothing_is_sent(look: Look, host: SftpHost) -> None:
    look.options = {"fingerprint": None}
    facts = look.source().test()
    assert facts.fingerprint == host.fingerprint and facts.name is None
    assert "pin it" in facts.warnings[0]
    with pytest.raises(Misconfigured, match="not confirmed yet"):
        look()
    assert host.logins == []


def test_another_key_than_the_pinned_one_gets_no_password(look: Look, host: SftpHost) -> None:
    pinned = host.fingerprint
    host.key = paramiko.ECDSAKey.generate()
    look.options = {"fingerprint": pinned}
    for ask in (look, look.source().test):
        with pytest.raises(Misconfigured, match="shows another key") as caught:
            ask()
        assert pinned in str(caught.value) and host.fingerprint in str(caught.value)
    assert host.logins == []


def test_the_newest_file_that_matches_comes_and_older_ones_never(
    look: Look, host: SftpHost, tmp_path: Path
) -> None:
    put(host, "old.csv", "1", 1)
    put(host, "new.csv", "2", 3)
    put(host, "newer.xml", "3", 4)
    put(host, ".hidden.csv", "4", 5)
    put(host, "x.csv.part", "5", 6)
    (host.root / "folder.csv").mkdir()
    outside = tmp_path / "secret.csv"
    outside.write_text("secret")
    (host.root / "link.csv").symlink_to(outside)
    landed = look()
    assert landed is not None and (landed.name, landed.path.read_text()) == ("new.csv", "2")
    assert landed.as_of is not None and landed.as_of.timestamp() == NOON + 180
    assert look.state == {"taken": {"name": "new.csv", "bytes": 1, "mtime": NOON + 180}}
    assert look.waited == [1.0]
    assert look() is None
    assert look.waited == [1.0], "what is known needs no second look"
    (host.root / "new.csv").unlink()
    assert look() is None, "the older one is old news, whatever became of the newest"
    put(host, "next.csv", "6", 7)
    assert look.name() == "next.csv"


def test_the_same_name_with_other_content_is_new(look: Look, host: SftpHost) -> None:
    put(host, "list.csv", "1", 1)
    assert look.name() == "list.csv"
    put(host, "list.csv", "22", 1)
    landed = look()
    assert landed is not None and landed.path.read_text() == "22"


def test_a_file_still_growing_waits_for_the_next_look(look: Look, host: SftpHost) -> None:
    put(host, "whole.csv", "1", 1)
    growing = put(host, "growing.csv", "2", 2)
    look.during = lambda: growing.write_text("2 and more")
    assert look.name() == "whole.csv"
    look.during = lambda: None
    assert look.name() == "growing.csv"


@pytest.mark.parametrize("after", ["keep", "move", "delete"])
def test_what_was_recorded_is_put_aside_and_nothing_before(look: Look, host: SftpHost, after: str) -> None:
    look.options = {"after": after}
    put(host, "list.csv", "1", 1)
    assert look.name() == "list.csv"
    assert (host.root / "list.csv").exists(), "not recorded yet"
    look.state, kept = {}, look.state  # killed before anything was recorded
    look.last, last = None, look.last
    assert look.name() == "list.csv"
    look.state, look.last = kept, last
    assert look() is None
    there = sorted(str(path.relative_to(host.root)) for path in host.root.rglob("*") if path.is_file())
    assert there == {"keep": ["list.csv"], "move": ["taken/list.csv"], "delete": []}[after]
    put(host, "list.csv", "2", 2)
    assert look() is not None, "and the next one is taken"
    assert look() is None
    assert (host.root / "list.csv").exists() is (after == "keep")


def test_a_newer_file_of_the_same_name_is_not_put_aside_in_its_place(look: Look, host: SftpHost) -> None:
    look.options = {"after": "delete"}
    put(host, "list.csv", "1", 1)
    assert look.name() == "list.csv"
    put(host, "list.csv", "2", 2)
    landed = look()
    assert landed is not None and landed.path.read_text() == "2"


def test_a_right_that_lacks_is_told(look: Look, host: SftpHost) -> None:
    look.options, host.read_only = {"after": "move"}, True
    put(host, "list.csv", "1", 1)
    assert look() is not None
    with pytest.raises(Misconfigured, match=r"does not let the hub move list\.csv"):
        look()
    look.options = {"path": "absent"}
    with pytest.raises(Misconfigured, match="has no folder absent"):
        look()


def pem(key: paramiko.PKey, password: str | None = None) -> str:
    text = io.StringIO()
    key.write_private_key(text, password=password)
    return text.getvalue()


def test_a_private_key_opens_it_with_its_passphrase(look: Look, host: SftpHost) -> None:
    put(host, "list.csv", "1", 1)
    look.secret = {"private_key": pem(host.user_key, "canary-phrase"), "secret": "canary-phrase"}
    assert look.name() == "list.csv"
    assert host.logins == [(USER, str(host.user_key.fingerprint))]
    look.secret = {"private_key": pem(paramiko.ECDSAKey.generate())}
    with pytest.raises(Misconfigured, match=f"does not accept the user {USER} with this key"):
        look()


@pytest.mark.parametrize(
    "make", [ed25519.Ed25519PrivateKey.generate, lambda: ec.generate_private_key(ec.SECP384R1())]
)
def test_private_keys_in_every_form_a_supplier_may_send(make: Callable[[], Any]) -> None:
    key = make()
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    for form in (serialization.PrivateFormat.OpenSSH, serialization.PrivateFormat.PKCS8):
        for lock in (serialization.NoEncryption(), serialization.BestAvailableEncryption(b"phrase")):
            text = key.private_bytes(serialization.Encoding.PEM, form, lock).decode().replace("\n", "\r\n")
            read = private_key(f"\r\n{text}\r\n", "phrase")
            assert f"{read.get_name()} {read.get_base64()}".encode() == public


@pytest.mark.parametrize(
    ("text", "phrase", "words"),
    [
        ("nonsense", "", "cannot be used"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\ncanary", "", "export it with PuTTYgen"),
        ("-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----", "", "cannot be used"),
        (None, "", "enter it as well"),
        (None, "canary-wrong", "cannot be used"),
    ],
)
def test_a_private_key_that_cannot_be(text: str | None, phrase: str, words: str) -> None:
    given = text or pem(paramiko.ECDSAKey.generate(), "canary-right")
    with pytest.raises(Misconfigured, match=words) as caught:
        private_key(given, phrase)
    assert "canary" not in str(caught.value)


def test_no_password_no_login(look: Look, host: SftpHost) -> None:
    look.secret = {}
    with pytest.raises(Misconfigured, match="needs a password or a private key"):
        look()
    assert host.logins == []


@pytest.mark.parametrize("fault", ["hang", "cut"])
def test_a_server_that_fails_in_the_middle_leaves_nothing(look: Look, host: SftpHost, fault: str) -> None:
    put(host, "list.csv", "x" * 500_000, 1)
    host.fault, look.options = fault, {"seconds": 0.3}
    with pytest.raises(Temporary):
        look()
    assert not list(look.into.glob("*"))
    host.fault = ""
    host.hold.set()
    look.options = {}
    assert look.name() == "list.csv"


def test_a_port_where_nobody_listens_or_nobody_speaks_ssh(look: Look, host: SftpHost) -> None:
    host.port = 1
    with pytest.raises(Temporary, match="cannot be reached"):
        look()


def test_a_test_shows_the_newest_file(look: Look, host: SftpHost) -> None:
    put(host, "old.csv", "sku;title\nA;1\n", 1)
    put(host, "new.csv", "<html><body>login", 2)
    facts = look.source().test()
    assert (facts.name, facts.bytes, facts.looks, facts.fingerprint) == (
        "new.csv",
        17,
        "a web page",
        host.fingerprint,
    )
    assert facts.changed_at is not None and facts.changed_at.timestamp() == NOON + 120
    assert len(facts.warnings) == 1
    look.options = {"pattern": "*.xml"}
    assert look.source().test().warnings == ("The folder is there, and no file in it matches *.xml.",)
