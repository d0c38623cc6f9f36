"""How a sync uses the rate that a provider allows, from the sandbox's log of requests."""

from collections import deque
from datetime import datetime

from bench_person import control
from settings import Settings

# Drive's declared limit for one account, in fetches a minute, and our share of it: `providers::google_drive` and `domain::rate`.
ALLOWED, SHARE = 325_000 // 200, 0.7
FETCHES = ("files.media", "files.export")


def fetches(settings: Settings, account: str) -> list[float]:
    """When the account's files were fetched, in seconds since the epoch, in order."""
    log = control(settings, "GET", "requests")["requests"]
    times = [entry["time"] for entry in log if entry["operation"] in FETCHES and entry["account"] == account]
    return sorted(datetime.fromisoformat(time).timestamp() for time in times)


def busiest_minute(times: list[float]) -> int:
    """The most requests within any sixty seconds."""
    window: deque[float] = deque()
    most = 0
    for time in times:
        window.append(time)
        while time - window[0] >= 60:
            window.popleft()
        most = max(most, len(window))
    return most


def words(times: list[float]) -> str:
    """What a person wants to know of it."""
    seconds = max(times[-1] - times[0], 0.001)
    share = 100 * len(times) / (seconds * SHARE * ALLOWED / 60)
    return (
        f"{len(times)} fetches within {seconds:.1f} s: {share:.1f} % of our share ({SHARE:.0%} of {ALLOWED} a minute, "
        f"of which five seconds' worth may come at once); the busiest minute had {busiest_minute(times)}"
    )
