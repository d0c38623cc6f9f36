"""No secret in anything that is said or kept in plain words: the fault proxy notes every secret that passes, and here they are looked for."""

import json
import urllib.request
from collections.abc import Iterator

import deploy
from settings import Failure, Settings

# What is shorter might stand anywhere by chance.
SHORTEST = 12
# The sandbox's own client, whose secret everybody knows, and which the proxy sees too.
ORDINARY = {"sandbox-secret"}


def guarantee_43_no_secret_in_what_is_said(settings: Settings, stack: dict) -> None:
    """Looks for tokens, codes, verifiers and keys in the logs of functions and platform, in messages, events and content."""
    with urllib.request.urlopen(f"{settings.proxy_url}/_chaos/secrets", timeout=10) as answer:
        secrets = {secret for secret in json.load(answer) if len(secret) >= SHORTEST} - ORDINARY
    if not secrets:
        raise Failure("the fault proxy saw no secret, so nothing can be said about leaks")
    places = 0
    for place, text in said(settings, stack):
        places += 1
        found = next((secret for secret in secrets if secret in text), None)
        if found:
            at = text.index(found)
            raise Failure(f"a secret stands in {place}: …{text[max(0, at - 200) : at]}<the secret>")
    print(f"    none of {len(secrets)} secrets stands in {places} logs, messages and objects", flush=True)


def said(settings: Settings, stack: dict) -> Iterator[tuple[str, str]]:
    """Each place, and its text."""
    for log in settings.folder.glob("*.log"):
        # The sandbox is the provider; it may know its own secrets.
        if log.name != "sandbox.log":
            yield log.name, log.read_text(errors="replace")
    logs = deploy.client(settings, "logs")
    for group in logs.describe_log_groups()["logGroups"]:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        yield group["logGroupName"], "\n".join(event["message"] for page in pages for event in page["events"])
    queues = deploy.client(settings, "sqs")
    for url in [*stack["queues"].values(), *stack["deadLetterQueues"].values()]:
        got = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0, MessageAttributeNames=["All"])
        yield url, json.dumps(got.get("Messages", []), default=str)
    objects = deploy.client(settings, "s3")
    for page in objects.get_paginator("list_objects_v2").paginate(Bucket=stack["contentBucket"]):
        for entry in page.get("Contents", []):
            body = objects.get_object(Bucket=stack["contentBucket"], Key=entry["Key"])["Body"].read()
            yield entry["Key"], body.decode(errors="replace")
    tables = deploy.client(settings, "dynamodb")
    # Codes and verifiers of connections that have just begun may be kept until they end; tokens never. Tables of people hold neither.
    for name in ("jobs", "records", "limits", "audit"):
        for page in tables.get_paginator("scan").paginate(TableName=stack["tables"][name]):
            yield name, json.dumps(page["Items"], default=str)
