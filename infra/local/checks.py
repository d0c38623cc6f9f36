"""`make test`: everything that CI runs. Needs nothing that is up; the stack it tests on is its own and gone afterwards."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import conformance
import deploy
import leaks
import pace
import privileges
import tools
from settings import LOCAL, ROOT, Failure, Settings


# Notion's own client, and the compiler that checks answers against its types.
NOTION = {"@notionhq/client": "5.26.0", "typescript": "5.9.3"}
# GitHub's description of its API, its collection of deliveries, and its own client.
GITHUB = {"@octokit/openapi": "23.0.2", "@octokit/rest": "22.0.0", "@octokit/webhooks-examples": "7.6.1", "@octokit/webhooks-methods": "6.0.0"}
# Slack's own client, the types of its events, and the same compiler.
SLACK = {"@slack/web-api": "8.2.0", "@slack/types": "3.2.0", "typescript": "5.9.3"}


def run(up: Callable[[Settings], dict], down: Callable[[Settings], None]) -> None:
    """Checks style and template first, because they are quick; then compiles all tests once and runs them against a fresh stack."""
    tools.ensure("sam", "google", "moto", "schemathesis")
    emulate = tools.ensure_emulate()
    tools.ensure_npm("notion", NOTION)
    tools.ensure_npm("slack", SLACK)
    tools.ensure_npm("github", GITHUB)
    step("style", ["cargo", "fmt", "--all", "--check"])
    template()
    step("lints", ["cargo", "clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"])
    # One feature set for all packages, or cargo would compile what they share once for each.
    tests = ["cargo", "test", "--workspace", "--all-features"]
    step("tests: compile", [*tests, "--no-run"])
    settings = Settings("cognia-test", free_port(4666), free_port(4700), demo=True, throwaway=True,
                        proxy_port=free_port(4676), providers_port=free_port(4710))  # fmt: skip
    # A polite kill must not leave the stack behind either.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        down(settings)
        stack = up(settings)
        pace.hasten(settings, stack)
        step("tests", [*tests, "--no-fail-fast"], settings.aws_env() | variables(settings, emulate))
        # After the tests, because its administrator changes what others may do.
        timed("the API against its description", lambda: conformance.run(settings, stack))
        nothing_denied(settings)
        privileges.guarantee_49_every_permission_is_needed(settings, stack)
        leaks.guarantee_43_no_secret_in_what_is_said(settings, stack)
    except BaseException:
        keep_logs(settings)
        raise
    finally:
        down(settings)
    print("==> all is well", flush=True)


def nothing_denied(settings: Settings) -> None:
    """No function lacked a permission, not even on a path whose failure another attempt made good."""
    log = (settings.folder / "emulator.log").read_text(errors="replace")
    denied = [line for line in log.splitlines() if "AccessDenied" in line]
    if denied:
        raise Failure(f"a function lacks a permission ({len(denied)} refusals), such as: {denied[0][:600]}")


def template() -> None:
    """SAM's own check, and cfn-lint on what the template expands to."""
    env = os.environ | {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}
    step("template", [tools.program("sam", of="sam"), "validate", "--lint"], env)
    step("template, expanded", [tools.program("python", of="sam"), str(Path(__file__).parent / "expand.py")], env)


def variables(settings: Settings, emulate: str) -> dict[str, str]:
    """Where tests find the stack, the sandbox, Google's client and the other emulators, of Google and of KMS."""
    documents = tools.folder("google").glob("lib/*/site-packages/googleapiclient/discovery_cache/documents/drive.v3.json")
    return {
        "COGNIA_STACK_JSON": str(settings.folder / "stack.json"),
        "SANDBOX_GOOGLE_DISCOVERY": str(next(documents)),
        "SANDBOX_GOOGLE_PYTHON": tools.program("python", of="google"),
        "SANDBOX_NOTION_NODE": tools.ensure_npm("notion", NOTION),
        "SANDBOX_SLACK_NODE": tools.ensure_npm("slack", SLACK),
        "SANDBOX_GITHUB_NODE": tools.ensure_npm("github", GITHUB),
        "EMULATE": emulate,
        "MOTO_SERVER": tools.program("moto_server", of="moto"),
    }


def step(name: str, command: list[str], env: dict[str, str] | None = None) -> None:
    """Runs one step, says how long it took, and stops everything if it fails."""
    print(f"==> {name}", flush=True)
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=env or dict(os.environ), check=False)
    print(f"    {time.monotonic() - began:.0f} s", flush=True)
    if done.returncode != 0:
        raise Failure(f"{name} failed")


def timed(name: str, work: Callable[[], None]) -> None:
    """As `step`, for work that is done here."""
    print(f"==> {name}", flush=True)
    began = time.monotonic()
    work()
    print(f"    {time.monotonic() - began:.0f} s", flush=True)


def free_port(wanted: int) -> int:
    """`wanted`, or any other if somebody listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def keep_logs(settings: Settings) -> None:
    """Saves what the processes and functions said; the stack they belong to is about to go."""
    kept = LOCAL / "test-logs"
    kept.mkdir(parents=True, exist_ok=True)
    for log in settings.folder.glob("*.log"):
        (kept / log.name).write_bytes(log.read_bytes())
    try:
        client = deploy.client(settings, "logs")
        for group in client.describe_log_groups()["logGroups"]:
            pages = client.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
            lines = (event["message"].rstrip() for page in pages for event in page["events"])
            (kept / f"{group['logGroupName'].rpartition('/')[2]}.log").write_text("\n".join(lines) + "\n")
    except Exception as error:  # Whatever is wrong now, the failure that brought us here matters more.
        print(f"    the functions' logs cannot be read: {error}", flush=True)
    print(f"    logs are in {kept.relative_to(ROOT)}", flush=True)
