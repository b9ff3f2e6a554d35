"""A run's report on standard output, by a process of its own since it parses.

`python -m pipelines.feeds.report_download RUN csv|xlsx|rejects` is what the console streams to a browser.
"""

import io
import resource
import sys

from core.database import connect
from core.errors import EntrepotError
from core.settings import load
from pipelines.feeds.parse import MEMORY_LIMIT
from pipelines.feeds.replay import write_rejects
from pipelines.feeds.report import open_report, report, write
from pipelines.feeds.report_xlsx import stream_xlsx


def main() -> int:
    """Writes the report of the run named on the command line; 2 with one sentence on stderr where there is none."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    out = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="", write_through=False)
    number, kind = int(sys.argv[1]), (sys.argv[2:] or ["csv"])[0]
    try:
        db = connect(load(), (), pool_size=1)
        try:
            if kind == "xlsx":
                stream_xlsx(open_report(db, number), out.buffer)
            elif kind == "rejects":
                write_rejects(db, number, out)
            else:
                write(report(db, number), out)
        finally:
            db.close()
        out.flush()
    except EntrepotError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
