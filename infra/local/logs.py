"""`make logs`: follows what all functions of the stack say, each line with its function's name."""

import time

import deploy
import description
from settings import Settings

EVERY_S = 1.0
# What the platform itself says about every invocation; the functions say more.
PLATFORM = ("START RequestId", "END RequestId", "REPORT RequestId")


def follow(settings: Settings) -> None:
    """Prints the last minute's lines and then new ones until interrupted."""
    client = deploy.client(settings, "logs")
    functions = description.read(settings)["functions"]
    width = max(len(name) for name in functions)
    since_ms = int(time.time() * 1000) - 60_000
    seen: set[tuple[str, str]] = set()
    while True:
        lines = []
        for name, function in functions.items():
            for event in events(client, f"/aws/lambda/{function}", since_ms):
                key = (name, event.get("eventId") or f"{event['timestamp']} {event['message']}")
                if key not in seen and not event["message"].startswith(PLATFORM):
                    seen.add(key)
                    lines.append((event["timestamp"], name, event["message"].rstrip()))
        for at, name, text in sorted(lines, key=lambda line: line[0]):
            print(f"{time.strftime('%H:%M:%S', time.localtime(at / 1000))} {name:<{width}}  {text}", flush=True)
            # A line may come a little late: look back over the last ten seconds again.
            since_ms = max(since_ms, at - 10_000)
        time.sleep(EVERY_S)


def events(client, group: str, since_ms: int) -> list[dict]:
    """The group's events from `since_ms` on; none if nobody has written to it yet."""
    found: list[dict] = []
    arguments = {"logGroupName": group, "startTime": since_ms}
    try:
        while True:
            page = client.filter_log_events(**arguments)
            found += page["events"]
            if not page.get("nextToken"):
                return found
            arguments["nextToken"] = page["nextToken"]
    except client.exceptions.ResourceNotFoundException:
        return found
