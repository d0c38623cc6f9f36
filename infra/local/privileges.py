"""Least privilege, measured: what the functions' roles allow against what the fault proxy saw them ask for."""

import fnmatch
import json
import urllib.request

import deploy
from settings import Failure, Settings

# Permissions that no request of a function shows, or only one so rare that no test makes it: function, action, part of the
# resource (each may be a pattern), and why it is there.
UNSEEN = [
    ("*", "logs:*", "*", "the platform writes the log in the function's name"),
    ("*-worker", "sqs:ReceiveMessage", "*", "the platform polls the queue in the function's name"),
    ("*-worker", "sqs:DeleteMessage", "*", "the platform polls the queue in the function's name"),
    ("*-worker", "sqs:GetQueueAttributes", "*", "the platform polls the queue in the function's name"),
    ("*", "sqs:SendMessage", "*", "on AWS it covers batches, for which the embedded stack has an action of its own"),
    ("*", "sqs:SendMessageBatch", "*", "whether a message waits or is beyond help is up to the faults of the day"),
    ("*-worker", "sqs:ChangeMessageVisibility*", "*", "whether a message fails is up to the faults of the day; see above on batches"),
    ("*", "s3:*Object", "*/organization/*", "organizations' content: the journeys connect people's accounts"),
    ("resource-worker", "s3:*Object", "*/parts/*", "resources that take more calls than one message makes: Drive has none"),
    ("api", "dynamodb:*", "*DirectoryTable*", "members who are listed and removed"),
    ("webhook", "secretsmanager:GetSecretValue", "*", "deliveries that are signed with the application's secret; Drive's carry a token"),
    ("*", "dynamodb:PutItem", "*DirectoryTable*", "a registry row is made by whoever reads it first"),
    ("scheduler", "dynamodb:GetItem", "*JobsTable*", "a start that met another is looked up"),
    ("sync-worker", "dynamodb:UpdateItem", "*RecordsTable*", "work that was lost several times is recorded as failed"),
    ("sync-worker", "dynamodb:Query", "*RecordsTable*/index/failed", "failures that are worth another try"),
    ("*-worker", "dynamodb:GetItem", "*LimitsTable*", "a limit's row that others have changed"),
    ("api", "dynamodb:GetItem", "*LimitsTable*", "the same, of an account that somebody browses"),
    ("scheduler", "dynamodb:Query", "*IntegrationsTable*", "owners of a plan with few places: the journeys' people have one without limits"),
]


def guarantee_49_every_permission_is_needed(settings: Settings, stack: dict) -> None:
    """No role allows what no test needed. That a missing permission fails the tests is the emulator's part, which enforces policies."""
    with urllib.request.urlopen(f"{settings.proxy_url}/_chaos/needs", timeout=10) as answer:
        needs = [(need["function"], need["action"], need["resource"]) for need in json.load(answer)]
    if not needs:
        raise Failure("the fault proxy saw no request of any function")
    surplus = [
        f"{name}: {action} on {resource}"
        for name, function in stack["functions"].items()
        for action, resource in allowed(settings, function)
        if not unseen(name, action, resource) and not any(needed(name, action, resource, need) for need in needs)
    ]
    if surplus:
        raise Failure("permissions that no test needed; take them away or say why in UNSEEN:\n  " + "\n  ".join(surplus))
    print(f"    every permission was needed ({len(needs)} kinds of calls seen)", flush=True)


def allowed(settings: Settings, function: str) -> list[tuple[str, str]]:
    """Action and resource of everything that the function's role allows, as deployed."""
    role = deploy.client(settings, "lambda").get_function_configuration(FunctionName=function)["Role"].rpartition("/")[2]
    client = deploy.client(settings, "iam")
    found = []
    for policy in client.list_role_policies(RoleName=role)["PolicyNames"]:
        document = client.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        document = json.loads(document) if isinstance(document, str) else document
        for statement in listed(document["Statement"]):
            found += [(action, resource) for action in listed(statement["Action"]) for resource in listed(statement["Resource"])]
    return found


def listed(value) -> list:
    """One thing or several, as several."""
    return value if isinstance(value, list) else [value]


def unseen(function: str, action: str, resource: str) -> bool:
    """Whether the list above explains it."""
    return any(
        fnmatch.fnmatchcase(function, who) and fnmatch.fnmatchcase(action, what) and fnmatch.fnmatchcase(resource, where)
        for who, what, where, _ in UNSEEN
    )


def needed(function: str, action: str, resource: str, need: tuple[str, str, str]) -> bool:
    """Whether a call that was seen needed this permission. Some calls name no resource: the key is in what they decrypt."""
    asked, wanted, where = need
    return asked == function and wanted == action and (where == "*" or fnmatch.fnmatchcase(where, resource))
