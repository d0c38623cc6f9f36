"""`make bench`: what a first sync, a sync that finds nothing, and a cold start cost. On a stack of its own, gone afterwards.

The functions' AWS requests pass a proxy that counts them; it takes time too, so seconds are somewhat longer than without it.
"""

import hashlib
import signal
import time
from collections import Counter
from collections.abc import Callable

import bench_fair
import bench_rate
import bench_start
import checks
import deploy
import processes
from bench_person import Person, control
from bench_proxy import Proxy
from settings import Failure, Settings

FILES = 1_000
# Requests that the person's browser makes at the provider, not we.
BROWSER = ("oauth2.page", "oauth2.decide")


def run(up: Callable[[Settings], dict], down: Callable[[Settings], None]) -> None:
    """Brings the stack up, measures, prints, and takes it down."""
    port, proxy_port = checks.free_port(4866), checks.free_port(4870)
    settings = Settings("cognia-bench", port, checks.free_port(4900), demo=True, throwaway=True,
                        functions_endpoint=f"http://127.0.0.1:{proxy_port}")  # fmt: skip
    proxy = Proxy(proxy_port, port)
    # A polite kill must not leave the stack behind either.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        down(settings)
        stack = up(settings)
        syncs(settings, stack, proxy)
        print(f"\n3. Beside a backfill of {bench_fair.LARGE} files of somebody else\n")
        for sentence in bench_fair.measure(settings, stack):
            print(f"   {sentence}", flush=True)
        print(f"\n4. Functions, profile `local` (opt-level 1), min/median/max of {bench_start.RUNS} starts\n")
        show(bench_start.table(settings, stack))
    except BaseException:
        checks.keep_logs(settings)
        raise
    finally:
        down(settings)
        proxy.shutdown()


def syncs(settings: Settings, stack: dict, proxy: Proxy) -> None:
    """Measures the first sync and one that finds nothing."""
    functions = access_keys(settings, stack)
    person = Person(settings, stack, "bench", FILES)
    for title, incremental in ((f"1. First sync of {FILES} text files", False), ("2. Incremental sync that finds nothing", True)):
        settle(proxy, functions)
        control(settings, "DELETE", "requests")
        before, failed, began = proxy.snapshot(), proxy.failed, time.monotonic()
        started = person.sync() if incremental else person.connect()
        # From here on the API is only asked whether the job has ended, and that does not count.
        asked = proxy.snapshot()
        job = person.ended(started)
        seconds = time.monotonic() - began
        settle(proxy, functions)
        expected = (0, 0) if incremental else (FILES, FILES)
        if job["status"] != "COMPLETED" or (job["resources_found"], job["resources_synced"]) != expected:
            raise Failure(f"the sync did not do what it should: {job}")
        counts = Counter({key: count for key, count in (proxy.snapshot() - before).items() if functions.get(key[0]) != "api"})
        counts.update({key: count for key, count in (asked - before).items() if functions.get(key[0]) == "api"})
        print(f"\n{title}: {seconds:.1f} s, found {job['resources_found']}, synced {job['resources_synced']}")
        if proxy.failed > failed:
            print(f"   {proxy.failed - failed} requests failed in the emulator and count too, as do their repetitions")
        print("\nAWS requests of the functions\n")
        show(requests(counts, functions, per=None if incremental else FILES))
        if not incremental:
            print(f"\n{bench_rate.words(bench_rate.fetches(settings, person.email))}")
        calls = control(settings, "GET", "counters").items()
        print(f"\nprovider calls: {', '.join(f'{name} {count}' for name, count in calls if name not in BROWSER) or 'none'}")


def access_keys(settings: Settings, stack: dict) -> dict[str, str]:
    """Which function has which access key. MiniStack derives it from the ARNs of function and role (its `execution_credentials`)."""
    client = deploy.client(settings, "lambda")
    found = {}
    for name, deployed in stack["functions"].items():
        configuration = client.get_function_configuration(FunctionName=deployed)
        digest = hashlib.sha256(f"{configuration['FunctionArn']}:{configuration['Role']}".encode()).hexdigest()
        found[f"ASIA{digest[:16].upper()}"] = name
    return found


def settle(proxy: Proxy, functions: dict[str, str]) -> None:
    """Waits until no function but the scheduler, which looks round every minute, has asked for anything for three seconds."""
    working = {key for key, name in functions.items() if name != "scheduler"}
    if not processes.until(lambda: proxy.quiet_for(working) > 3, patience_s=120):
        raise Failure("the functions do not come to rest")


def requests(counts: Counter[tuple[str, str]], functions: dict[str, str], per: int | None) -> list[list[str]]:
    """A row for each operation, a column for each function that asked; `per` resource where it is given."""
    by = Counter()
    for (key, operation), count in counts.items():
        by[functions.get(key, "other"), operation] += count
    columns = [name for name in [*functions.values(), "other"] if any(asked == name for asked, _ in by)]
    rows = [["operation", *columns, "total", *(["per file"] if per else [])]]
    for operation in [*sorted({operation for _, operation in by}), "all"]:
        row = [sum(count for (asked, named), count in by.items() if asked == name and operation in (named, "all")) for name in columns]
        rows.append([operation, *(str(count or "") for count in row), str(sum(row)), *([f"{sum(row) / per:.3f}"] if per else [])])
    return rows


def show(rows: list[list[str]]) -> None:
    """Prints a table: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        print(f"   {first:<{widths[0]}}", *(f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)), sep="  ", flush=True)
