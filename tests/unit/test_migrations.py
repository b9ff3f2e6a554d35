"""Migrations are one row of numbers: what core.migrating reads off the files' names is what Alembic makes of them."""

from alembic.config import Config
from alembic.script import ScriptDirectory

from core.migrating import MIGRATIONS, head


def test_the_newest_revision_is_the_last_number() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    assert [head()] == scripts.get_heads()
    numbers = [script.revision for script in scripts.walk_revisions()]
    assert numbers == sorted(numbers, reverse=True)
    assert all(len(number) == 4 and number.isdigit() for number in numbers)
