"""Hostile files: no crash, no hang, capped memory, a clear verdict; the small run of `./run fuzz` and the great one."""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz_feeds import CHECKOUT, MEMORY_MB
from tests.hostile import hostile

EVERYDAY_SEED = 20261127


def fuzz(tmp_path: Path, *words: str) -> dict[str, Any]:
    """In a process of its own: this one has threads, which a fork does not take along."""
    command = [sys.executable, "-P", "-m", "tests.fuzz_feeds", "--json", "--keep", str(tmp_path), *words]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def answered_all(told: dict[str, Any], files: int) -> None:
    assert (told["crashes"], told["hangs"], told["kept"]) == (0, 0, [])
    assert told["answered"] + told["refused"] == told["files"] == files
    assert told["answered"] > files / 5 and told["refused"] > files / 5
    assert told["peak_mb"] < MEMORY_MB


def test_a_seed_always_makes_the_same_files() -> None:
    once = [hostile(EVERYDAY_SEED, place) for place in range(12)]
    assert [hostile(EVERYDAY_SEED, place) for place in range(12)] == once
    assert len({content for _, content in once}) > 8
    assert [hostile(EVERYDAY_SEED + 1, place) for place in range(12)] != once


def test_a_few_hundred_hostile_files_are_answered_or_refused(tmp_path: Path) -> None:
    told = fuzz(tmp_path, "--files", "150", "--seed", str(EVERYDAY_SEED), "--whole", "0.1")
    answered_all(told, 150)


@pytest.mark.deep
@pytest.mark.timeout(7200)
def test_ten_thousand_hostile_files_are_answered_or_refused(tmp_path: Path) -> None:
    seed = random.randrange(2**31)
    print(f"seed {seed} (again: ./run fuzz --files 10000 --seed {seed})")
    answered_all(fuzz(tmp_path, "--files", "10000", "--seed", str(seed)), 10_000)
