"""The commands behind `make up`, `make down`, `make token`, `make logs` and `make deploy`.

Runs in the `emulator` environment (`tools.py` makes it). `python infra/local <command>`.
"""

import os
import shutil
import subprocess
import sys
import time

import botocore.exceptions

import bench
import build
import chaos
import checks
import demo
import deploy
import description
import emulator
import logs
import providers
import proxy
import tokens
import tools
from settings import LOCAL, ROOT, Failure, Settings, from_env, running


def up(settings: Settings) -> dict:
    """Brings the stack up, or up to date; its description."""
    tools.ensure("sam")
    build.local()
    if settings.proxy_port:
        proxy.start(settings)
    emulator.start(settings)
    outputs = deploy.ensure(settings)
    stack = description.write(settings, outputs)
    if settings.demo:
        demo.start(settings, stack)
    else:
        demo.stop(settings)
    providers.write(settings, stack)
    emulator.snapshot(settings)
    return stack


def down(settings: Settings) -> None:
    """Stops a stack; its state stays, unless it is a throw-away."""
    stopped = [name for name, stop in (("sandbox", demo.stop), ("emulator", emulator.stop), ("proxy", proxy.stop)) if stop(settings)]
    print(f"==> {settings.stack}: stopped {' and '.join(stopped) if stopped else 'nothing, nothing ran'}", flush=True)
    if settings.throwaway:
        shutil.rmtree(settings.folder, ignore_errors=True)


def down_all() -> None:
    """Stops the stack that `STACK` names, else every stack of this checkout."""
    if os.environ.get("STACK"):
        down(from_env())
        return
    for folder in sorted((LOCAL / "stacks").glob("*")):
        down(Settings(stack=folder.name, port=0, sandbox_port=0, demo=True))


def reset(settings: Settings) -> None:
    """Stops a stack and forgets all that it held."""
    down(settings)
    shutil.rmtree(settings.folder, ignore_errors=True)


def token() -> None:
    """Prints a bearer token: `make token USER=ada [ADMIN=1] [ORG=acme ROLE=ADMIN] [PLAN=pro]`."""
    user = os.environ.get("TOKEN_USER")
    if not user:
        raise Failure("say for whom: make token USER=ada")
    settings = running()
    print(tokens.mint(settings, description.read(settings), user, tokens.options_from_env()))


def to_aws() -> None:
    """Builds for AWS and deploys with the section of `samconfig.toml` that `STAGE` names."""
    stage = os.environ.get("STAGE") or "dev"
    tools.ensure("sam")
    build.release(os.environ.get("ARCHITECTURE") or "arm64")
    command = [tools.program("sam", of="sam"), "deploy", "--template-file", str(build.TEMPLATE), "--config-env", stage]
    sys.exit(subprocess.run(command, cwd=ROOT, env=os.environ | {"SAM_CLI_TELEMETRY": "0"}, check=False).returncode)


def say_what_next(settings: Settings, stack: dict, seconds: float) -> None:
    """What a newcomer does now."""
    print(f"\nCognia Integrations is up ({seconds:.0f} s).\n\n  API      {stack['apiUrl']}")
    if settings.demo:
        print(f"  Try it   {stack['appUrl']}   sign in as ada, connect an account, see its content arrive")
        print(f"  Content  {stack['sandboxUrl']}   the emulated providers: add, edit and delete what is there")
    print("\n  make token USER=ada   a bearer token for the API\n  make logs             what the functions say")
    print("  make down             stop; everything is kept\n\nREADME.md goes on from here.")


def main(command: str) -> None:
    """One command."""
    if command == "up":
        began = time.monotonic()
        settings = from_env()
        stack = up(settings)
        say_what_next(settings, stack, time.monotonic() - began)
    elif command == "down":
        down_all()
    elif command == "reset":
        reset(from_env())
    elif command == "token":
        token()
    elif command == "logs":
        logs.follow(running())
    elif command == "test":
        checks.run(up, down)
    elif command == "bench":
        bench.run(up, down)
    elif command == "chaos":
        chaos.run(up, down)
    elif command == "deploy":
        to_aws()
    else:
        raise Failure(f"unknown command {command!r}")


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "")
    except Failure as failure:
        sys.exit(f"error: {failure}")
    except botocore.exceptions.EndpointConnectionError:
        sys.exit("error: the stack is not running; `make up` starts it")
    except KeyboardInterrupt:
        sys.exit(130)
