"""A person of the benchmark: an account at the emulated Google, a token of ours, and a browser that walks through the consent page."""

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request

import tokens
from settings import Failure, Settings

DRIVE = "/api/integrations/google_drive"


class Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: where one leads is part of the answer."""

    def redirect_request(self, *_) -> None:
        """None, which makes the redirect an answer."""


OPENER = urllib.request.build_opener(Stay)


def send(
    method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Status, headers and body of the answer, whatever its status."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with OPENER.open(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def control(settings: Settings, method: str, path: str, body: dict | None = None) -> dict:
    """A request to the sandbox's control API."""
    data = None if body is None else json.dumps(body).encode()
    status, _, answer = send(method, f"{settings.sandbox_url}/control/{path}", data, {"content-type": "application/json"})
    if status != 200:
        raise Failure(f"the sandbox refuses {method} {path}: {status}")
    return json.loads(answer)


class Person:
    """Somebody on a plan that limits nothing, whose account holds `files` text files."""

    def __init__(self, settings: Settings, stack: dict, user: str, files: int) -> None:
        self.settings, self.email = settings, f"{user}@example.com"
        self.token = tokens.mint(settings, stack, user, ["--plan", "enterprise"])
        control(settings, "POST", "google/accounts", {"email": self.email, "name": user})
        control(settings, "POST", "google/files/bulk", {"account": self.email, "count": files, "prefix": user})

    def ask(self, method: str, path: str, body: dict | None = None) -> tuple[dict | list, str]:
        """The data of the API's answer, and the cookies it sets."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        status, answered, answer = send(method, self.settings.api_url + path, data, headers)
        if status not in (200, 202):
            raise Failure(f"{method} {path} answers {status}")
        cookies = "; ".join(line.partition(";")[0] for line in answered.get_all("Set-Cookie") or [])
        return json.loads(answer)["data"], cookies

    def connect(self) -> None:
        """Connects Google Drive as a browser does: our page, the provider's, and back."""
        begun, cookies = self.ask("POST", f"{DRIVE}/connect", {})
        page, _, query = begun["authUrl"].partition("?")
        form = dict(urllib.parse.parse_qsl(query)) | {"account": self.email, "decision": "allow"}
        _, headers, _ = send("POST", page, urllib.parse.urlencode(form).encode())
        if not headers.get("Location"):
            raise Failure("the consent page sends nobody back")
        _, headers, _ = send("GET", headers["Location"], headers={"cookie": cookies})
        if "connected=" not in (headers.get("Location") or ""):
            raise Failure("the callback did not connect")

    def sync(self) -> str:
        """Asks for an incremental sync; its job's id."""
        return self.ask("POST", f"{DRIVE}/sync", {"mode": "incremental"})[0]["jobId"]

    def ended(self, job: str | None = None, patience_s: float = 300) -> dict:
        """Waits for the end of this job, or of the newest; the job."""
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            jobs = [self.ask("GET", f"{DRIVE}/sync-jobs/{job}")[0]] if job else self.ask("GET", f"{DRIVE}/sync-jobs?limit=1")[0]
            if jobs and jobs[0]["status"] not in ("PENDING", "RUNNING"):
                return jobs[0]
            time.sleep(0.5)
        raise Failure(f"the sync did not end within {patience_s:.0f} s")
