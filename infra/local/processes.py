"""Background processes that outlive `make up`: started detached, found again by a file with their process id, stopped with their children."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from settings import Failure


def start(folder: Path, name: str, command: list[str], env: dict[str, str]) -> None:
    """Starts `command` in a session of its own; its words go to `<folder>/<name>.log`. The command line must name `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    if log.exists():
        log.replace(folder / f"{name}.log.1")
    with log.open("wb") as words:
        process = subprocess.Popen(
            command, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=words, stderr=subprocess.STDOUT, start_new_session=True
        )
    (folder / f"{name}.pid").write_text(str(process.pid))


def pid_of(folder: Path, name: str) -> int | None:
    """The process id if the process lives and is ours; ids are given out again after a crash or a restart of the machine."""
    path = folder / f"{name}.pid"
    if not path.exists():
        return None
    pid = int(path.read_text())
    return pid if pid in family(folder, pid) else None


def family(folder: Path, leader: int) -> list[int]:
    """The living processes of `leader`'s session whose command line names `folder`, orphans included."""
    return [pid for pid, group, command in table() if group == leader and str(folder) in command]


def table() -> list[tuple[int, int, str]]:
    """Process id, group and command line of every living process; from `/proc`, because a bare Debian has no `ps`."""
    if not Path("/proc/self/stat").exists():
        listing = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,pgid=,stat=,command="], capture_output=True, text=True, check=True)
        rows = [line.split(None, 3) for line in listing.stdout.splitlines()]
        return [(int(row[0]), int(row[1]), row[3]) for row in rows if len(row) == 4 and not row[2].startswith("Z")]
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue  # It ended while we looked.
            if state != "Z":
                found.append((int(entry.name), int(group), command))
    return found


def stop(folder: Path, name: str, patience_s: float = 30) -> bool:
    """Asks the process to end, insists after `patience_s`, and ends what it left behind. False if nothing ran."""
    path = folder / f"{name}.pid"
    if not path.exists():
        return False
    leader = int(path.read_text())
    alive = pid_of(folder, name) is not None
    if alive:
        os.kill(leader, signal.SIGTERM)
        until(lambda: pid_of(folder, name) is None, patience_s)
    for pid in family(folder, leader):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    path.unlink(missing_ok=True)
    return alive


def until(condition: Callable[[], bool], patience_s: float) -> bool:
    """Waits for a condition; False if it did not come about in time."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return condition()


def require_free(port: int, variable: str) -> None:
    """Refuses a port on which somebody else listens."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise Failure(f"port {port} is taken by another program; choose one with {variable}=")


def tail(folder: Path, name: str, lines: int = 15) -> str:
    """The last lines of a process's log."""
    log = folder / f"{name}.log"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
