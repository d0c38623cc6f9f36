"""Runs MiniStack in this process and writes its state down once a minute.

MiniStack saves its state only when it is stopped in good order; a crash would take everything since the last `make up` with it.
Runs in the `emulator` environment. The argument is the stack's folder; it is there to tell this process from others.
"""

import signal
import sys
import threading

from ministack import app
from ministack.core.persistence import PERSIST_STATE, save_all

EVERY_SECONDS = 60
wanted = threading.Event()


def keep_saving() -> None:
    """Saves at every interval, and at once when asked to. A store that changes while it is read is saved the next time."""
    while True:
        wanted.wait(EVERY_SECONDS)
        wanted.clear()
        save_all(app._build_persistence_save_dict())


if __name__ == "__main__":
    if PERSIST_STATE:
        signal.signal(signal.SIGUSR1, lambda *_: wanted.set())
        threading.Thread(target=keep_saving, daemon=True, name="snapshots").start()
    # MiniStack reads its own arguments.
    del sys.argv[1:]
    app.main()
