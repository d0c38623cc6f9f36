"""Bearer tokens for the local stack, made by testkit's `token`, which also writes the directory rows that they need."""

import os
import subprocess

import build
from settings import Failure, Settings


def mint(settings: Settings, stack: dict, user: str, options: list[str] | None = None) -> str:
    """A token for `user`; `options` go to `token` as they are."""
    command = [str(build.program("token")), "--user", user, *(options or [])]
    done = subprocess.run(command, env=settings.aws_env() | variables(stack), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"no token: {done.stderr.strip()}")
    return done.stdout.strip()


def variables(stack: dict) -> dict[str, str]:
    """The variables that name the stack's parts, as the functions have them."""
    names = {f"{name.upper()}_TABLE": table for name, table in stack["tables"].items()}
    return names | {"STAGE": "local", "STACK_NAME": stack["stackName"], "JWT_ALGORITHM": "HS256", "JWT_SECRET_ARN": stack["jwtSecret"] or ""}


def options_from_env() -> list[str]:
    """`ADMIN=1 ORG=acme ROLE=ADMIN PLAN=pro TTL=3600` as options."""
    options = ["--admin"] if os.environ.get("ADMIN") not in (None, "", "0") else []
    for variable, option in (("ORG", "--org"), ("ROLE", "--role"), ("PLAN", "--plan"), ("TTL", "--ttl-seconds")):
        if os.environ.get(variable):
            options += [option, os.environ[variable]]
    return options
