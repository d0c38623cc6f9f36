"""The embedded AWS: MiniStack, with IAM enforced, its state kept under the stack's folder."""

import os
import signal
import sys
import urllib.request
from pathlib import Path

import processes
import tools
from settings import Failure, Settings

NAME = "emulator"


def start(settings: Settings) -> bool:
    """Starts the emulator unless it runs and answers; True if it was started."""
    if processes.pid_of(settings.folder, NAME) is not None and answers(settings):
        return False
    processes.stop(settings.folder, NAME)
    processes.require_free(settings.port, "PORT")
    print(f"==> starting the emulator on port {settings.port}", flush=True)
    server = Path(__file__).parent / "emulator_server.py"
    command = [tools.program("python", of="emulator"), str(server), str(settings.folder)]
    processes.start(settings.folder, NAME, command, environment(settings))
    if not processes.until(lambda: answers(settings) or not alive(settings), patience_s=60) or not answers(settings):
        raise Failure(f"the emulator did not start:\n{processes.tail(settings.folder, NAME)}")
    return True


def environment(settings: Settings) -> dict[str, str]:
    """What makes MiniStack behave as we need; functions inherit it."""
    folder = settings.folder
    temporary = folder / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    own = {
        "GATEWAY_PORT": str(settings.port),
        "BIND_HOST": "127.0.0.1",
        "AUTH": "true",
        "PERSIST_STATE": "0" if settings.throwaway else "1",
        "STATE_DIR": str(folder / "state"),
        "S3_PERSIST": "0" if settings.throwaway else "1",
        "S3_DATA_DIR": str(folder / "state" / "s3"),
        "TMPDIR": str(temporary),
        # Listeners on fixed ports that nobody here needs and that a second stack would collide with.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # MiniStack hands it on to functions.
        "AWS_ENDPOINT_URL": settings.functions_endpoint or settings.proxy_url or settings.endpoint,
    }
    return settings.bare_env() | own


def alive(settings: Settings) -> bool:
    """Whether its process lives."""
    return processes.pid_of(settings.folder, NAME) is not None


def answers(settings: Settings) -> bool:
    """Whether it serves requests."""
    try:
        with urllib.request.urlopen(f"{settings.endpoint}/_ministack/health", timeout=2) as response:
            return response.status == 200
    except OSError:
        return False


def snapshot(settings: Settings) -> None:
    """Has it write its state down now, so that what was just deployed survives a crash."""
    pid = processes.pid_of(settings.folder, NAME)
    if pid is not None and not settings.throwaway:
        os.kill(pid, signal.SIGUSR1)


def stop(settings: Settings) -> bool:
    """Stops it; it writes its state first. False if it did not run."""
    return processes.stop(settings.folder, NAME)


if __name__ == "__main__":
    sys.exit("run `make up`")
