"""Runs a module as a child of the supervisor: `python -m cli.child MODULE [ARGUMENTS]`, never longer than its parent.

Linux tells it (PR_SET_PDEATHSIG) when the parent is gone; elsewhere, and for a parent that went before that was
asked for, it looks by itself.
"""

import ctypes
import os
import runpy
import signal
import sys
import threading

LOOK = 1.0  # seconds between two looks at the parent
GRACE = 30.0  # seconds an orphan has to end by itself
PR_SET_PDEATHSIG = 1  # prctl(2)


def watch(parent: int) -> None:
    """Makes this process end when `parent` does, however that happens: SIGTERM first, by force after 30 s."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    threading.Thread(target=_watch, args=(parent,), name="parent", daemon=True).start()


def _watch(parent: int) -> None:
    never = threading.Event()
    while os.getppid() == parent:
        never.wait(LOOK)
    os.kill(os.getpid(), signal.SIGTERM)
    never.wait(GRACE)
    os._exit(1)


def main() -> None:
    """The process. The parent's pid is the first argument: it may be gone before we look."""
    parent, module, *arguments = sys.argv[1:]
    watch(int(parent))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
