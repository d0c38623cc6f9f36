"""`make chaos`: histories of changes under faults, on a stack of their own with the fault proxy in between; gone afterwards."""

import os
import signal
from collections.abc import Callable

import checks
import leaks
import pace
from settings import Failure, Settings


def run(up: Callable[[Settings], dict], down: Callable[[Settings], None]) -> None:
    """Brings the stack up, runs `SEEDS` histories (20) or replays that of `SEED`, and takes it down."""
    # A polite kill must not leave the stack behind either.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    settings = Settings(
        "cognia-chaos", checks.free_port(4636), checks.free_port(4730), demo=True, throwaway=True,
        proxy_port=checks.free_port(4646), providers_port=checks.free_port(4740),
    )  # fmt: skip
    try:
        down(settings)
        stack = up(settings)
        pace.hasten(settings, stack)
        command = ["cargo", "test", "--package", "chaos", "--features", "chaos", "--", "--nocapture", "--test-threads", "1"]
        if os.environ.get("SEED"):
            command.append("random_histories")
        checks.step("chaos", command, environment(settings))
        checks.nothing_denied(settings)
        leaks.guarantee_43_no_secret_in_what_is_said(settings, stack)
    except BaseException:
        checks.keep_logs(settings)
        raise
    finally:
        down(settings)


def environment(settings: Settings) -> dict[str, str]:
    """Where the histories find the stack, and how many are wanted."""
    for name in ("SEEDS", "SEED"):
        if not (os.environ.get(name) or "1").isdigit():
            raise Failure(f"{name} must be a number, not {os.environ[name]!r}")
    return settings.aws_env() | {
        "COGNIA_STACK_JSON": str(settings.folder / "stack.json"),
        "CHAOS_SEEDS": os.environ.get("SEEDS") or "20",
        "CHAOS_SEED": os.environ.get("SEED") or "",
        "CHAOS_THOROUGH": "1",
    }
