"""What a run of the embedded stack is called and where it lives. Everything else asks here; only this file reads the environment."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / ".local"
REGION = "us-east-1"
# Functions get no more of the caller's environment than this, as on Lambda.
PASSED_ON = ("PATH", "HOME", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR")


class Failure(Exception):
    """Something a person can mend; its text says how."""


@dataclass(frozen=True)
class Settings:
    """One stack: its name, its ports, and whether the sandbox belongs to it."""

    stack: str
    port: int
    sandbox_port: int
    demo: bool
    #: The stack of the tests: thrown away, and never the one that `.local/stack.json` describes.
    throwaway: bool = False
    #: Where functions find AWS, if that is not the emulator itself: `make bench` counts their requests on the way.
    functions_endpoint: str | None = None
    #: The fault proxy's two ports, where functions find AWS and the providers; without them no proxy stands in between.
    proxy_port: int | None = None
    providers_port: int | None = None

    @property
    def folder(self) -> Path:
        """Where this stack keeps its state, process ids, logs and description."""
        return LOCAL / "stacks" / self.stack

    @property
    def endpoint(self) -> str:
        """The emulator's address for AWS clients."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def proxy_url(self) -> str | None:
        """The fault proxy's address on the side of AWS, where it also takes orders."""
        return f"http://127.0.0.1:{self.proxy_port}" if self.proxy_port else None

    @property
    def api_id(self) -> str:
        """The API's id, pinned so that its address survives everything. The emulator wants 8 hexadecimal digits."""
        return hashlib.sha256(self.stack.encode()).hexdigest()[:8]

    @property
    def api_url(self) -> str:
        """The API's address for browsers and providers. The path form needs no name resolution."""
        return f"http://localhost:{self.port}/_aws/execute-api/{self.api_id}"

    @property
    def sandbox_url(self) -> str:
        """The sandbox's address."""
        return f"http://localhost:{self.sandbox_port}"

    @property
    def app_url(self) -> str:
        """Where people return to after connecting: the sandbox plays the host application."""
        return os.environ.get("APP_URL") or f"{self.sandbox_url}/app"

    def aws_env(self) -> dict[str, str]:
        """An environment in which every AWS client talks to this emulator and no credentials of the caller are seen."""
        mine = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        return mine | self.aws_variables()

    def aws_variables(self) -> dict[str, str]:
        """The AWS variables alone."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "SAM_CLI_TELEMETRY": "0",
        }

    def bare_env(self) -> dict[str, str]:
        """The environment of background processes: nothing of the caller's that could change what they do."""
        return {k: os.environ[k] for k in PASSED_ON if k in os.environ} | self.aws_variables()


def from_env() -> Settings:
    """The stack that `make up` means: `STACK`, `PORT`, `SANDBOX_PORT` and `DEMO`, each with its default."""
    return Settings(
        stack=os.environ.get("STACK") or "cognia",
        port=number("PORT", 4566),
        sandbox_port=number("SANDBOX_PORT", 4600),
        demo=os.environ.get("DEMO", "1") not in ("0", "false", "no"),
    )


def running() -> Settings:
    """The stack that `make token` and `make logs` mean: the one named by `STACK`, or the one brought up last."""
    name = os.environ.get("STACK")
    path = LOCAL / "stacks" / name / "run.json" if name else LOCAL / "run.json"
    if not path.exists():
        raise Failure("no stack is up here; run `make up` first")
    return Settings(**json.loads(path.read_text()))


def number(name: str, default: int) -> int:
    """A port from the environment."""
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or not 1024 <= int(text) <= 65535:
        raise Failure(f"{name} must be a port between 1024 and 65535, not {text!r}")
    return int(text)
