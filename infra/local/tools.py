"""The pinned tools under `.local/venv`: one virtual environment for each file in `requirements/`, made again when its pins change."""

import hashlib
import subprocess
import sys
from pathlib import Path

from settings import LOCAL, Failure

# Runs on Node 20; versions from 0.12 do not.
EMULATE = "emulate@0.10.0"
REQUIREMENTS = Path(__file__).parent / "requirements"


def ensure(*names: str) -> None:
    """Installs the named environments that are missing or out of date."""
    if sys.version_info < (3, 11):
        raise Failure(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    for name in names:
        wanted = fingerprint(name)
        stamp = folder(name) / "stamp"
        if not stamp.exists() or stamp.read_text() != wanted:
            print(f"==> installing {name} tools into {folder(name).relative_to(LOCAL.parent)}", flush=True)
            install(name)
            stamp.write_text(wanted)


def install(name: str) -> None:
    """Makes one environment afresh."""
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", folder(name)], check=False)
    if made.returncode != 0:
        raise Failure("cannot make a virtual environment; on Debian: apt install python3-venv")
    pip = [folder(name) / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, "--requirement", REQUIREMENTS / f"{name}.txt"], check=False).returncode != 0:
        raise Failure(f"the {name} tools cannot be installed; is the network there?")


def ensure_emulate() -> str:
    """Installs npm's emulated Google, strangers' work that ours is checked against; the path of its program."""
    place = LOCAL / "node"
    install_npm(place, [EMULATE])
    return str(place / "node_modules" / ".bin" / "emulate")


def ensure_npm(name: str, packages: dict[str, str]) -> str:
    """Installs a vendor's own npm packages, each at an exact version, under a name; the path of their `node_modules`.

    A script finds CommonJS packages with that path in `NODE_PATH`, and others with `import()` of a path below it."""
    place = LOCAL / "npm" / name
    install_npm(place, [f"{package}@{version}" for package, version in sorted(packages.items())])
    return str(place / "node_modules")


def install_npm(place: Path, packages: list[str]) -> None:
    """Puts packages into a folder of their own, afresh whenever the list of them changes."""
    wanted = " ".join(packages)
    stamp = place / "stamp"
    if stamp.exists() and stamp.read_text() == wanted and (place / "node_modules").exists():
        return
    print(f"==> installing {wanted} into {place.relative_to(LOCAL.parent)}", flush=True)
    stamp.unlink(missing_ok=True)
    place.mkdir(parents=True, exist_ok=True)
    npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--prefix", str(place), *packages]
    try:
        subprocess.run(npm, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Failure(f"Node 20 with npm is needed for the tests: {error}") from error
    stamp.write_text(wanted)


def fingerprint(name: str) -> str:
    """Changes with the pins, with Python, and with the place, because scripts in an environment carry absolute paths."""
    text = f"{sys.version}\n{folder(name)}\n{(REQUIREMENTS / f'{name}.txt').read_text()}"
    return hashlib.sha256(text.encode()).hexdigest()


def folder(name: str) -> Path:
    """Where an environment is."""
    return LOCAL / "venv" / name


def program(name: str, of: str) -> str:
    """The path of an installed program."""
    return str(folder(of) / "bin" / name)


if __name__ == "__main__":
    try:
        ensure(*sys.argv[1:])
    except Failure as failure:
        sys.exit(f"error: {failure}")
