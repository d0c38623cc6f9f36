"""Google's own client library against a running sandbox.

    python drive_client.py http://localhost:4600

Goes through the consent page, then lists, pages, exports, downloads, watches and reads changes. Resets the sandbox to its
sample content first. Ends with a non-zero code when something is not as Google would answer it.
"""

import http.server
import io
import queue
import sys
import threading
import uuid
import zipfile
from urllib.parse import parse_qs, urlsplit

import google.oauth2.credentials
import requests
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaIoBaseDownload

ADA = "ada@example.com"
SCOPE = "https://www.googleapis.com/auth/drive.readonly"
RETURN = "http://localhost/callback"
ALL_DRIVES = {"supportsAllDrives": True, "includeItemsFromAllDrives": True}


class Sandbox:
    def __init__(self, url):
        self.url = url.rstrip("/")

    def control(self, method, path, **body):
        answer = requests.request(method, f"{self.url}/control/{path}", json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def credentials(self):
        """The OAuth flow as a browser goes through it."""
        asked = {
            "client_id": "sandbox-client",
            "redirect_uri": RETURN,
            "response_type": "code",
            "scope": SCOPE,
            "state": "xyz",
            "access_type": "offline",
            "prompt": "consent",
        }
        page = f"{self.url}/google/accounts/o/oauth2/v2/auth"
        assert requests.get(page, params=asked, timeout=10).status_code == 200
        decided = requests.post(
            page, data={**asked, "account": ADA, "decision": "allow"}, allow_redirects=False, timeout=10
        )
        assert decided.status_code == 302, decided.text
        answer = parse_qs(urlsplit(decided.headers["location"]).query)
        assert answer["state"] == ["xyz"]
        token_uri = f"{self.url}/google/oauth2/token"
        tokens = requests.post(
            token_uri,
            data={
                "grant_type": "authorization_code",
                "code": answer["code"][0],
                "client_id": "sandbox-client",
                "client_secret": "sandbox-secret",
                "redirect_uri": RETURN,
            },
            timeout=10,
        ).json()
        return google.oauth2.credentials.Credentials(
            tokens["access_token"],
            refresh_token=tokens["refresh_token"],
            token_uri=token_uri,
            client_id="sandbox-client",
            client_secret="sandbox-secret",
            scopes=[SCOPE],
        )


def expect_error(request, status, reason):
    try:
        request.execute()
    except HttpError as error:
        assert error.status_code == status, error
        assert error.error_details[0]["reason"] == reason, error.error_details
    else:
        raise AssertionError(f"{request.uri} should have answered {status} {reason}")


def by_name(drive):
    files = drive.files().list(pageSize=1000, fields="files(id,name,mimeType)").execute()["files"]
    return {file["name"]: file for file in files}


def check_about(drive):
    user = drive.about().get(fields="user(displayName,emailAddress,permissionId,me)").execute()["user"]
    assert user["emailAddress"] == ADA and user["me"] is True, user
    expect_error(drive.about().get(), 400, "required")


def check_listing(sandbox, drive):
    sandbox.control("POST", "google/files/bulk", account=ADA, count=250, prefix="many")
    seen, pages = [], 0
    request = drive.files().list(q="name contains 'many' and trashed = false", orderBy="name", pageSize=100)
    while request is not None:
        answer = request.execute()
        seen += [file["name"] for file in answer["files"]]
        pages += 1
        request = drive.files().list_next(request, answer)
    assert pages == 3, pages
    assert seen == [f"many-{number:05}.txt" for number in range(1, 251)], len(seen)
    names = by_name(drive)
    assert "Roadmap" not in names, "shared drives are silent without the flags"
    everywhere = drive.files().list(corpora="allDrives", q="name = 'Roadmap'", **ALL_DRIVES).execute()
    assert len(everywhere["files"]) == 1, everywhere
    inside = drive.files().list(q=f"'{names['Projects']['id']}' in parents", fields="files(name)").execute()["files"]
    assert {file["name"] for file in inside} >= {"Lighthouse", "Budget", "tower.png"}, inside
    assert all(set(file) == {"name"} for file in inside), "only what was asked for"
    expect_error(drive.files().list(q="nonsense"), 400, "invalid")
    expect_error(drive.files().list(pageToken="nonsense"), 400, "invalid")
    expect_error(drive.files().list(fields="surprise"), 400, "invalidParameter")
    expect_error(drive.files().get(fileId="missing"), 404, "notFound")


def check_content(sandbox, drive):
    truth = {file["name"]: file for file in sandbox.control("GET", f"truth?account={ADA}")["files"]}
    names = by_name(drive)
    markdown = drive.files().export(fileId=names["Handbook"]["id"], mimeType="text/markdown").execute()
    assert markdown.decode() == truth["Handbook"]["text"], markdown
    plain = drive.files().export(fileId=names["Handbook"]["id"], mimeType="text/plain").execute().decode()
    assert plain.startswith("\ufeffHandbook\r\n"), plain
    sheet = drive.files().export(
        fileId=names["Budget"]["id"],
        mimeType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ).execute()
    assert "xl/workbook.xml" in zipfile.ZipFile(io.BytesIO(sheet)).namelist()
    csv = drive.files().export(fileId=names["Budget"]["id"], mimeType="text/csv").execute().decode()
    assert csv.splitlines()[1] == "Hosting,1200", csv
    slides = drive.files().export(fileId=names["Kick-off"]["id"], mimeType="text/plain").execute().decode()
    assert "Milestones" in slides, slides

    downloaded = io.BytesIO()
    request = drive.files().get_media(fileId=names["notes.txt"]["id"])
    chunks = MediaIoBaseDownload(downloaded, request, chunksize=10)
    rounds, done = 0, False
    while not done:
        _, done = chunks.next_chunk()
        rounds += 1
    assert rounds > 1, "downloaded by ranges"
    assert downloaded.getvalue().decode() == truth["notes.txt"]["text"]

    shortcut = drive.files().get(
        fileId=names["Shortcut to the handbook"]["id"], fields="shortcutDetails(targetId,targetMimeType)"
    ).execute()
    assert shortcut["shortcutDetails"]["targetId"] == names["Handbook"]["id"], shortcut
    expect_error(drive.files().get_media(fileId=names["Handbook"]["id"]), 403, "fileNotDownloadable")
    expect_error(
        drive.files().export(fileId=names["notes.txt"]["id"], mimeType="text/plain"), 403, "fileNotExportable"
    )
    big = sandbox.control(
        "POST",
        "google/files",
        account=ADA,
        name="Big",
        mimeType="application/vnd.google-apps.document",
        text="0123456789\n" * 1_000_000,
    )
    expect_error(
        drive.files().export(fileId=big["id"], mimeType="text/markdown"), 403, "exportSizeLimitExceeded"
    )
    links = drive.files().get(fileId=big["id"], fields="exportLinks").execute()["exportLinks"]
    link = links["text/markdown"].replace("https://docs.google.com", f"{sandbox.url}/google/docs")
    whole = requests.get(link, headers={"Authorization": f"Bearer {drive._http.credentials.token}"}, timeout=60)
    assert whole.status_code == 200 and len(whole.content) == 11_000_000, whole.status_code


def all_changes(drive, token, **more):
    found = []
    while True:
        answer = drive.changes().list(pageToken=token, pageSize=2, fields="*", **more).execute()
        found += answer["changes"]
        if "newStartPageToken" in answer:
            assert "nextPageToken" not in answer
            return found, answer["newStartPageToken"]
        token = answer["nextPageToken"]


def check_changes(sandbox, drive):
    token = drive.changes().getStartPageToken().execute()["startPageToken"]
    names = by_name(drive)
    note, archive, contacts = (names[name]["id"] for name in ("notes.txt", "Archive", "contacts.csv"))
    for text in ("first", "second", "third"):
        sandbox.control("PATCH", f"google/files/{note}", text=text)
    sandbox.control("DELETE", f"google/files/{contacts}")
    sandbox.control("PATCH", f"google/files/{archive}", trashed=True)
    changes, token = all_changes(drive, token)
    seen = {change["fileId"]: change for change in changes}
    assert len(seen) == len(changes), "each item once"
    assert seen[contacts]["removed"] is True and "file" not in seen[contacts], seen[contacts]
    assert seen[archive]["file"]["explicitlyTrashed"] is True
    inside = [change["file"] for change in changes if change["fileId"] not in (note, contacts, archive)]
    assert {file["name"] for file in inside} == {"report.pdf", "talk.pptx", "inventory.xlsx"}, inside
    assert all(file["trashed"] and not file["explicitlyTrashed"] for file in inside)
    assert drive.files().get_media(fileId=note).execute() == b"third"
    sandbox.control("PATCH", f"google/files/{archive}", trashed=False, parent="root")
    changes, token = all_changes(drive, token)
    assert all(not change["file"]["trashed"] for change in changes), changes
    assert all_changes(drive, token) == ([], token)

    team = drive.drives().list().execute()["drives"][0]["id"]
    feed = drive.changes().getStartPageToken(driveId=team, supportsAllDrives=True).execute()["startPageToken"]
    sandbox.control("POST", "google/files", account=ADA, name="plan.txt", mimeType="text/plain", text="x", driveId=team)
    changes, _ = all_changes(drive, feed, driveId=team, **ALL_DRIVES)
    assert [change["file"]["name"] for change in changes] == ["plan.txt"], changes
    expect_error(drive.changes().list(pageToken=feed), 400, "invalid")
    sandbox.control("POST", "google/expire-cursors")
    expect_error(drive.changes().list(pageToken=token), 400, "invalid")


def check_watch(sandbox, drive):
    messages = queue.Queue()

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            messages.put(dict(self.headers))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    token = drive.changes().getStartPageToken().execute()["startPageToken"]
    channel_id = str(uuid.uuid4())
    body = {
        "id": channel_id,
        "type": "web_hook",
        "address": f"http://127.0.0.1:{server.server_port}/hook",
        "token": "secret",
    }
    channel = drive.changes().watch(pageToken=token, body=body).execute()
    assert channel["id"] == channel_id and channel["kind"] == "api#channel", channel
    sync = {name.lower(): value for name, value in messages.get(timeout=5).items()}
    assert sync["x-goog-resource-state"] == "sync" and sync["x-goog-message-number"] == "1", sync
    sandbox.control("POST", "google/files", account=ADA, name="watched.txt", mimeType="text/plain", text="x")
    change = {name.lower(): value for name, value in messages.get(timeout=5).items()}
    assert change["x-goog-resource-state"] == "change", change
    assert change["x-goog-channel-token"] == "secret"
    assert change["x-goog-resource-id"] == channel["resourceId"]
    assert int(change["x-goog-message-number"]) > 1
    expect_error(drive.changes().watch(pageToken=token, body=body), 400, "channelIdNotUnique")
    drive.channels().stop(body={"id": channel_id, "resourceId": channel["resourceId"]}).execute()
    assert sandbox.control("GET", "google/channels")["channels"] == []
    server.shutdown()


def check_refresh(sandbox, drive):
    sandbox.control("DELETE", "requests")
    sandbox.control("POST", "google/tokens", expireAccessTokens=True)
    drive.files().list().execute()
    counters = sandbox.control("GET", "counters")
    assert counters["oauth2.token.refresh"] == 1 and counters["files.list"] == 2, counters


def main():
    sandbox = Sandbox(sys.argv[1])
    sandbox.control("POST", "reset", demo=True)
    drive = build(
        "drive",
        "v3",
        credentials=sandbox.credentials(),
        static_discovery=True,
        client_options={"api_endpoint": f"{sandbox.url}/google/www/drive/v3/"},
    )
    check_about(drive)
    check_listing(sandbox, drive)
    check_content(sandbox, drive)
    check_refresh(sandbox, drive)
    check_watch(sandbox, drive)
    check_changes(sandbox, drive)
    print("all checks passed")


if __name__ == "__main__":
    main()
