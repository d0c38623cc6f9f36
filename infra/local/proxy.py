"""The fault proxy of the tests: between the functions and the emulator, and before the sandbox. What it breaks, tests tell it."""

import urllib.request

import build
import processes
from settings import Failure, Settings

NAME = "chaos-proxy"


def start(settings: Settings) -> None:
    """Starts it; before the emulator, because functions begin to ask as soon as they are deployed."""
    folder = settings.folder
    processes.stop(folder, NAME)
    # The copy's path names the stack, so that its process can be told from another stack's.
    binary = folder / "bin" / NAME
    binary.parent.mkdir(parents=True, exist_ok=True)
    binary.unlink(missing_ok=True)
    binary.write_bytes(build.program(NAME).read_bytes())
    binary.chmod(0o755)
    command = [str(binary), settings.stack, f"{settings.proxy_port}:{settings.port}", f"{settings.providers_port}:{settings.sandbox_port}"]
    processes.start(folder, NAME, command, settings.bare_env())
    if not processes.until(lambda: answers(settings) or processes.pid_of(folder, NAME) is None, 20) or not answers(settings):
        raise Failure(f"the fault proxy did not start:\n{processes.tail(folder, NAME)}")


def answers(settings: Settings) -> bool:
    """Whether it takes orders."""
    try:
        with urllib.request.urlopen(f"{settings.proxy_url}/_chaos/needs", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def stop(settings: Settings) -> bool:
    """Stops it. False if it did not run."""
    return processes.stop(settings.folder, NAME)
