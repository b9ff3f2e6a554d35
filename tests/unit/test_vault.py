"""Credentials come back only with a key of the vault, and its key file is made once and kept private."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from core.errors import Misconfigured
from core.settings import Settings
from core.vault import Vault, load_vault

SECRET = {"key": "ck_canary", "secret": "cs_canary", "ca_file": None}
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_a_sealed_secret_comes_back_and_shows_nothing() -> None:
    vault = Vault([NEW])
    sealed = vault.seal(SECRET)
    assert vault.open(sealed) == SECRET
    assert b"canary" not in sealed
    assert vault.seal(SECRET) != sealed
    assert NEW not in repr(vault)


def test_rotation_brings_old_seals_to_the_new_key() -> None:
    sealed = Vault([OLD]).seal(SECRET)
    both = Vault([NEW, OLD])
    assert both.open(sealed) == SECRET
    renewed = both.rotate(sealed)
    assert Vault([NEW]).open(renewed) == SECRET
    assert both.rotate(renewed) == renewed
    with pytest.raises(Misconfigured):
        Vault([OLD]).open(renewed)


def test_another_key_is_named_without_being_shown() -> None:
    sealed = Vault([OLD]).seal(SECRET)
    for attempt in (Vault([NEW]).open, Vault([NEW]).rotate):
        with pytest.raises(
            Misconfigured, match=r"were sealed with the key [0-9a-f]{8}, but the vault has [0-9a-f]{8}"
        ) as caught:
            attempt(sealed)
        assert OLD not in str(caught.value) and NEW not in str(caught.value)


@pytest.mark.parametrize("place", [12, 40, -3])
def test_a_changed_seal_does_not_open(place: int) -> None:
    sealed = bytearray(Vault([NEW]).seal(SECRET))
    sealed[place] ^= 1
    with pytest.raises(Misconfigured, match="damaged"):
        Vault([NEW]).open(bytes(sealed))


def test_the_database_may_give_a_memoryview() -> None:
    assert Vault([NEW]).open(memoryview(Vault([NEW]).seal(SECRET))) == SECRET  # type: ignore[arg-type]


@pytest.mark.parametrize("keys", [[], ["short"], [NEW, "not a key"]])
def test_keys_that_are_none(keys: list[str]) -> None:
    with pytest.raises(Misconfigured) as caught:
        Vault(keys)
    assert "not a key" not in str(caught.value)


def settings(folder: Path, **values: str) -> Settings:
    return Settings(data=folder, **values)


def test_keys_of_the_environment_leave_no_file(tmp_path: Path) -> None:
    sealed = load_vault(settings(tmp_path, vault_keys=f"{NEW}, {OLD}")).seal(SECRET)
    assert Vault([NEW]).open(sealed) == SECRET
    assert list(tmp_path.iterdir()) == []


def test_a_key_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    old_mask = os.umask(0)
    try:
        sealed = load_vault(settings(tmp_path / "new")).seal(SECRET)
    finally:
        os.umask(old_mask)
    path = tmp_path / "new" / "vault.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["vault.key"]
    assert load_vault(settings(tmp_path / "new")).open(sealed) == SECRET


def test_a_new_key_in_front_of_the_file_rotates(tmp_path: Path) -> None:
    sealed = load_vault(settings(tmp_path)).seal(SECRET)
    path = tmp_path / "vault.key"
    path.write_text(f"{NEW}\n{path.read_text()}")
    vault = load_vault(settings(tmp_path))
    assert Vault([NEW]).open(vault.rotate(sealed)) == SECRET


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    load_vault(settings(tmp_path))
    (tmp_path / "vault.key").chmod(0o640)
    with pytest.raises(Misconfigured, match="chmod 600"):
        load_vault(settings(tmp_path))


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\xff\xfe"])
def test_a_broken_key_file_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vault.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(Misconfigured):
        load_vault(settings(tmp_path))
    assert path.read_bytes() == content


def test_processes_starting_at_once_share_one_key(tmp_path: Path) -> None:
    """Each waits for the same moment, then makes or reads the key and seals; all must open with the file's key."""
    program = (
        "import sys; from pathlib import Path; from core.settings import Settings; from core.vault import load_vault\n"
        "sys.stdout.write('ready\\n'); sys.stdout.flush(); sys.stdin.readline()\n"
        "sys.stdout.buffer.write(load_vault(Settings(data=Path(sys.argv[1]))).seal({'n': 1}))"
    )
    root = Path(__file__).resolve().parents[2]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "d")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    seals = [process.communicate(timeout=60)[0] for process in started]
    vault = load_vault(settings(tmp_path / "d"))
    assert [vault.open(sealed) for sealed in seals] == [{"n": 1}] * 3
    assert [entry.name for entry in (tmp_path / "d").iterdir()] == ["vault.key"]
