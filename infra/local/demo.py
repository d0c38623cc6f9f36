"""The sandbox: emulated providers with sample content, and the page that plays the host application."""

import json
import urllib.request

import build
import processes
import tokens
from settings import Failure, Settings

NAME = "sandbox"
# Who can be signed in as on the sandbox's page, and what their accounts allow.
PEOPLE = {
    "ada": ["--plan", "pro", "--org", "acme", "--role", "ADMIN"],
    "grace": ["--plan", "pro", "--org", "acme", "--role", "VIEWER"],
    "linus": ["--plan", "free"],
    "root": ["--plan", "enterprise", "--admin"],
}
MONTH_S = 30 * 24 * 3600


def start(settings: Settings, stack: dict) -> None:
    """Starts the sandbox, anew each time, because its binary or the tokens it shows may have changed; its content is kept."""
    folder = settings.folder
    processes.stop(folder, NAME)
    processes.require_free(settings.sandbox_port, "SANDBOX_PORT")
    print(f"==> starting the sandbox on port {settings.sandbox_port}", flush=True)
    signed = {user: tokens.mint(settings, stack, user, [*rights, "--ttl-seconds", str(MONTH_S)]) for user, rights in PEOPLE.items()}
    env = settings.bare_env() | {
        "SANDBOX_PORT": str(settings.sandbox_port),
        "SANDBOX_PUBLIC_URL": settings.sandbox_url,
        "SANDBOX_DEMO": "1",
        "APP_API_URL": settings.api_url,
        "APP_TOKENS": json.dumps(signed),
        "RUST_LOG": "info",
    }
    if not settings.throwaway:
        env["SANDBOX_STATE"] = str(folder / "sandbox.json")
    # The copy's path names the stack, so that its process can be told from another stack's.
    binary = folder / "bin" / "sandbox"
    binary.parent.mkdir(parents=True, exist_ok=True)
    binary.unlink(missing_ok=True)
    binary.write_bytes(build.program("sandbox").read_bytes())
    binary.chmod(0o755)
    processes.start(folder, NAME, [str(binary)], env)
    if not processes.until(lambda: answers(settings) or processes.pid_of(folder, NAME) is None, 20) or not answers(settings):
        raise Failure(f"the sandbox did not start:\n{processes.tail(folder, NAME)}")


def answers(settings: Settings) -> bool:
    """Whether it serves requests."""
    try:
        with urllib.request.urlopen(f"{settings.sandbox_url}/health", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def stop(settings: Settings) -> bool:
    """Stops it. False if it did not run."""
    return processes.stop(settings.folder, NAME)
