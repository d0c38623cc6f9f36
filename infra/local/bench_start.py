"""Cold starts: each function's binary against a stand-in of Lambda's Runtime API, with the environment that the deployed function has."""

import os
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from statistics import median

import build
import deploy
from settings import Failure, Settings

RUNS = 7
NEXT = "/2018-06-01/runtime/invocation/next"
LIMIT_S = 20


class RuntimeApi(HTTPServer):
    """Notes when the first request for work arrives, and leaves that unanswered, so that the process stays as it is."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.done = threading.Event(), threading.Event()
        self.at = 0.0
        threading.Thread(target=self.handle_request, daemon=True, name="runtime-api").start()

    def handle_error(self, *_) -> None:
        """The client is gone by then; nothing to say."""


class Handler(BaseHTTPRequestHandler):
    """One request of a starting function."""

    def do_GET(self) -> None:
        """Takes the time of the first request for work."""
        if self.path == NEXT:
            self.server.at = time.monotonic()
            self.server.asked.set()
            self.server.done.wait()

    def do_POST(self) -> None:
        """The function reports that it cannot start: no time is noted."""
        self.server.asked.set()

    def log_message(self, *_) -> None:
        """Says nothing."""


def start(binary: Path, env: dict[str, str]) -> tuple[float, float]:
    """One start: milliseconds from before the process is made to its first request for work, and MiB resident then."""
    api = RuntimeApi()
    env = env | {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}"}
    began = time.monotonic()
    # Without closing descriptors Python starts a process by vfork, which takes no time to speak of.
    process = subprocess.Popen([str(binary)], env=env, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if not api.asked.wait(LIMIT_S) or not api.at:
            raise Failure(f"{binary.parent.name} cannot start, or did not ask for work within {LIMIT_S} s")
        return (api.at - began) * 1000, resident(process.pid)
    finally:
        process.kill()
        process.wait()
        api.done.set()
        api.server_close()


def resident(pid: int) -> float:
    """MiB of a process that are in memory."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024
    return int(subprocess.check_output(["ps", "-o", "rss=", "-p", str(pid)])) / 1024


def environment(settings: Settings, configuration: dict) -> dict[str, str]:
    """What the deployed function has: its own variables, and those of Lambda."""
    return configuration["Environment"]["Variables"] | settings.aws_variables() | {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_FUNCTION_NAME": configuration["FunctionName"],
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration["MemorySize"]),
        "AWS_LAMBDA_FUNCTION_VERSION": configuration["Version"],
        "_HANDLER": configuration["Handler"],
    }  # fmt: skip


def table(settings: Settings, stack: dict) -> list[list[str]]:
    """A row for each function: sizes in MiB, cold start in ms and memory in MiB as min/median/max."""
    client = deploy.client(settings, "lambda")
    rows = [["function", "binary MiB", "zip MiB", "cold start ms", "RSS MiB"]]
    for name, deployed in stack["functions"].items():
        configuration = client.get_function_configuration(FunctionName=deployed)
        env = environment(settings, configuration)
        runs = [start(build.program(name), env) for _ in range(RUNS)]
        spread = ["/".join(f"{pick(column):.1f}" for pick in (min, median, max)) for column in zip(*runs, strict=True)]
        sizes = [build.program(name).stat().st_size, configuration["CodeSize"]]
        rows.append([name, *(f"{size / 2**20:.1f}" for size in sizes), *spread])
    return rows
