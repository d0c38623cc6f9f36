"""Fairness: what a small sync, and a change that a webhook announces, take alone and beside a large backfill."""

import statistics
import time
from datetime import datetime

import bench_rate
import deploy
import processes
from bench_person import Person, control
from settings import Failure, Settings

SMALL, LARGE = 10, 10_000
ROUNDS, CHANGES = 3, 20
# The backfill is under way once this many of its files are fetched.
UNDER_WAY = 200


def measure(settings: Settings, stack: dict) -> list[str]:
    """Measures both, first alone, then beside the backfill; sentences for people."""
    alone, changes_alone = small_syncs(settings, stack, "alone"), changes(settings, stack, "quiet")
    large = Person(settings, stack, "large", LARGE)
    control(settings, "DELETE", "requests")
    began = time.monotonic()
    large.connect()
    if not processes.until(lambda: len(bench_rate.fetches(settings, large.email)) > UNDER_WAY, patience_s=180):
        raise Failure("the backfill does not get under way")
    beside, changes_beside = small_syncs(settings, stack, "beside"), changes(settings, stack, "busy")
    fetched = bench_rate.fetches(settings, large.email)
    if len(fetched) >= LARGE:
        raise Failure("the backfill ended before it had been a neighbour")
    ratio = statistics.median(beside) / statistics.median(alone)
    return [
        f"a first sync of {SMALL} files: alone {spread(alone)}, beside the backfill {spread(beside)}, {ratio:.2f} times as long",
        f"from a change at the provider to the sink: alone {spread(changes_alone)}, beside the backfill {spread(changes_beside)}",
        f"the backfill, {time.monotonic() - began:.0f} s after it was asked for: {bench_rate.words(fetched)}",
    ]


def small_syncs(settings: Settings, stack: dict, name: str) -> list[float]:
    """Seconds that first syncs took, each of somebody new."""
    took = []
    for number in range(ROUNDS):
        person = Person(settings, stack, f"{name}-{number}", SMALL)
        person.connect()
        job = person.ended()
        began, ended = (datetime.fromisoformat(job[name]) for name in ("started_at", "completed_at"))
        took.append((ended - began).total_seconds())
        if (job["status"], job["resources_synced"]) != ("COMPLETED", SMALL):
            raise Failure(f"the small sync did not do what it should: {job}")
    return took


def changes(settings: Settings, stack: dict, name: str) -> list[float]:
    """Seconds from changes of a file until the sink has them."""
    person = Person(settings, stack, name, SMALL)
    person.connect()
    person.ended()
    if not processes.until(lambda: person.email in [it["account"] for it in control(settings, "GET", "google/channels")["channels"]], 60):
        raise Failure("no webhook channel was made")
    file = control(settings, "GET", f"truth?account={person.email}")["files"][0]["id"]
    sink, took = deploy.client(settings, "s3"), []
    for number in range(CHANGES):
        text, began = f"change {number} of {name}.", time.monotonic()
        control(settings, "PATCH", f"google/files/{file}", {"text": text})
        if not processes.until(lambda text=text: text in body(sink, stack, name, file), patience_s=60):
            raise Failure("a change did not reach the sink")
        took.append(time.monotonic() - began)
    return took


def body(sink: object, stack: dict, name: str, file: str) -> str:
    """What the sink has of a file of the user's."""
    listed = sink.list_objects_v2(Bucket=stack["contentBucket"], Prefix=f"user/{name}/").get("Contents", [])
    key = next((entry["Key"] for entry in listed if file in entry["Key"]), None)
    return sink.get_object(Bucket=stack["contentBucket"], Key=key)["Body"].read().decode() if key else ""


def spread(seconds: list[float]) -> str:
    """Median and, of many, the 95th percentile."""
    if len(seconds) < CHANGES:
        return f"{statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"
    return f"median {statistics.median(seconds):.2f} s, p95 {statistics.quantiles(seconds, n=20)[-1]:.2f} s"
