"""The binaries: every function, the sandbox and `token`, in one run of cargo-lambda, so that each dependency is compiled once."""

import hashlib
import os
import platform
import re
import subprocess
from pathlib import Path

import tools
from settings import ROOT, Failure

TEMPLATE = ROOT / "template.yaml"
BUILT = ROOT / "target" / "lambda"


def functions() -> list[str]:
    """The packages that the template deploys."""
    return re.findall(r"^ +CodeUri: target/lambda/([a-z-]+)/$", TEMPLATE.read_text(), re.MULTILINE)


def local() -> None:
    """Builds for this machine, with the quick profile. The plain compiler suffices: what is built here runs here."""
    print("==> building (the first time takes minutes, later only what changed)", flush=True)
    packages = [*functions(), "sandbox", "testkit"]
    run(["--profile", "local", "--compiler", "cargo"], packages)


def release(architecture: str) -> None:
    """Builds for AWS, against the C library that provided.al2023 has."""
    run(["--release", "--x86-64" if architecture == "x86_64" else "--arm64"], functions())


def run(options: list[str], packages: list[str]) -> None:
    """Runs cargo-lambda; what it says is shown."""
    chosen = [word for package in packages for word in ("--package", package)]
    # The compiler for other targets (zig) lies beside cargo-lambda.
    path = f"{tools.folder('sam')}/bin:{os.environ['PATH']}"
    command = [tools.program("cargo-lambda", of="sam"), "lambda", "build", "--bins", *options, *chosen]
    if subprocess.run(command, cwd=ROOT, env=os.environ | {"PATH": path}, check=False).returncode != 0:
        raise Failure("the build failed")


def program(name: str) -> Path:
    """A built binary; cargo-lambda calls every one of them `bootstrap`."""
    return BUILT / name / "bootstrap"


def architecture() -> str:
    """This machine's, in Lambda's words."""
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def fingerprint() -> str:
    """Changes with the template and with every function's binary."""
    digest = hashlib.sha256(TEMPLATE.read_bytes())
    for name in functions():
        digest.update(program(name).read_bytes())
    return digest.hexdigest()
