"""The API against its own description: schemathesis sends what `openapi.json` allows and what it forbids, as each kind of caller."""

import json
import os
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

import tokens
import tools
from settings import ROOT, Failure, Settings

FOLDER = ROOT / "infra" / "schemathesis"
# The id of no sync.
NO_SYNC = "01JD0000000000000000000001"


@dataclass(frozen=True)
class Caller:
    """Who calls, with which rights, and which operations."""

    user: str
    rights: list[str]
    #: The operations' tags in the document.
    tags: list[str]
    #: The address below which an account is connected first, so that there is something to ask about.
    base: str | None = None
    #: Operations that come last, because they end the connection, with those that show it.
    last: tuple[str, ...] = ()


# Administrators come last: they change what others may do, and who others are.
CALLERS = [
    Caller("conformance-user", ["--plan", "enterprise"], ["integrations", "about"], "/api/integrations",
           ("disconnect_integration", "get_integration", "list_connected")),
    Caller("conformance-member", ["--plan", "enterprise", "--org", "conformance", "--role", "ADMIN"], ["integrations of organizations"],
           "/api/organizations/conformance/integrations",
           ("disconnect_organization_integration", "get_organization_integration", "list_organization_connected")),
    Caller("conformance-admin", ["--plan", "enterprise", "--admin"], ["administration"]),
]  # fmt: skip


def run(settings: Settings, stack: dict) -> None:
    """Runs the checks as each caller; every finding is a failure."""
    found = [caller.user for caller in CALLERS if not conforms(settings, stack, caller)]
    if found:
        raise Failure(f"the API does not do what its description says, as {' and '.join(found)}")


def conforms(settings: Settings, stack: dict, caller: Caller) -> bool:
    """Whether nothing was found as this caller."""
    print(f"    as {caller.user}", flush=True)
    token = tokens.mint(settings, stack, caller.user, caller.rights)
    sync = connect(stack, token, caller.base, f"{caller.user}@example.com") if caller.base else NO_SYNC
    tags = [word for tag in caller.tags for word in ("--include-tag", tag)]
    ends = [word for one in caller.last for word in ("--include-operation-id", one)]
    about = {"CONFORMANCE_CALLER": caller.user, "CONFORMANCE_SYNC": sync}
    well = check(settings, stack, caller.user, token, about, [*tags, *(["--exclude-method", "DELETE"] if ends else [])])
    return well and (not ends or check(settings, stack, f"{caller.user}-last", token, about, ends))


def check(settings: Settings, stack: dict, name: str, token: str, about: dict[str, str], chosen: list[str]) -> bool:
    """Runs schemathesis over the chosen operations; what it says is shown if it finds something."""
    command = [
        tools.program("schemathesis", of="schemathesis"), "--config-file", str(FOLDER / "schemathesis.toml"),
        "run", f"{stack['apiUrl']}/api/openapi.json", "--url", stack["apiUrl"], "--header", f"Authorization: Bearer {token}",
        # One worker: Python's parser, which Hypothesis asks about lambdas, is not safe for threads before 3.12.
        "--checks", "all", "--workers", "1", "--max-failures", "20", "--output-sanitize", "true", *chosen,
    ]  # fmt: skip
    env = os.environ | {"SCHEMATHESIS_HOOKS": "adjust", "PYTHONPATH": str(FOLDER), "NO_COLOR": "1"} | about
    log = settings.folder / f"{name}.log"
    with log.open("wb") as words:
        done = subprocess.run(command, cwd=settings.folder, env=env, stdout=words, stderr=subprocess.STDOUT, check=False)
    said = log.read_text(errors="replace").strip()
    print(said if done.returncode else f"    {said.splitlines()[-1].strip('= ')}", flush=True)
    return done.returncode == 0


def connect(stack: dict, token: str, base: str, account: str) -> str:
    """Connects a new account of the sandbox's Google Drive, as a person's browser does; the first sync's id."""
    post(f"{stack['sandboxUrl']}/control/google/accounts", json.dumps({"email": account, "name": account}), "application/json")
    signed = {"Authorization": f"Bearer {token}"}
    begun, cookie = post(f"{stack['apiUrl']}{base}/google_drive/connect", "{}", "application/json", signed)
    address = urllib.parse.urlsplit(json.loads(begun)["data"]["authUrl"])
    form = dict(urllib.parse.parse_qsl(address.query)) | {"account": account, "decision": "allow"}
    _, back = post(urllib.parse.urlunsplit(address._replace(query="")), urllib.parse.urlencode(form), "application/x-www-form-urlencoded")
    _, landed = get(back, {"Cookie": cookie.partition(";")[0]})
    if not re.search(r"[?&]connected=google_drive", landed):
        raise Failure(f"no account was connected: the browser landed at {landed}")
    syncs, _ = get(f"{stack['apiUrl']}{base}/google_drive/sync-jobs", signed)
    return json.loads(syncs)["data"][0]["id"]


class Stay(urllib.request.HTTPRedirectHandler):
    """Redirects are answers."""

    def redirect_request(self, *_):
        """Follows none."""
        return None


def post(url: str, body: str, kind: str, headers: dict[str, str] | None = None) -> tuple[str, str]:
    """Body of the answer, and where it sends the browser or the cookie that it sets."""
    return send(urllib.request.Request(url, body.encode(), {"Content-Type": kind} | (headers or {}), method="POST"))


def get(url: str, headers: dict[str, str]) -> tuple[str, str]:
    """As `post`."""
    return send(urllib.request.Request(url, headers=headers))


def send(request: urllib.request.Request) -> tuple[str, str]:
    """Sends it; refusals are failures."""
    try:
        with urllib.request.build_opener(Stay).open(request, timeout=20) as answer:
            return answer.read().decode(), answer.headers.get("Set-Cookie") or ""
    except urllib.error.HTTPError as answer:
        if answer.code in (302, 303):
            return "", answer.headers["Location"]
        raise Failure(f"{request.get_method()} {urllib.parse.urlsplit(request.full_url).path} answers {answer.code}") from answer
