"""`stack.json`: what the stack is called and where its parts are, for tests, benchmarks and people."""

import json
from pathlib import Path

from settings import LOCAL, REGION, Settings


def write(settings: Settings, outputs: dict[str, str]) -> dict:
    """Writes the description beside the stack's state and, unless it is a throw-away, as `.local/stack.json`."""
    described = describe(settings, outputs)
    run = {"stack": settings.stack, "port": settings.port, "sandbox_port": settings.sandbox_port, "demo": settings.demo,
           "throwaway": settings.throwaway}
    for folder in [settings.folder] if settings.throwaway else [settings.folder, LOCAL]:
        put(folder / "stack.json", described)
        put(folder / "run.json", run)
    return described


def describe(settings: Settings, outputs: dict[str, str]) -> dict:
    """The description; its names are a contract."""
    lanes = {"sync": "Sync", "webhook": "Webhook", "resource": "Resource", "resource-webhook": "ResourceWebhook"}
    functions = {"api": "Api", "webhook": "Webhook", "scheduler": "Scheduler", "sync-worker": "SyncWorker",
                 "webhook-worker": "WebhookWorker", "resource-worker": "ResourceWorker"}
    tables = ["integrations", "jobs", "records", "directory", "limits", "audit"]
    return {
        "stackName": settings.stack,
        "apiUrl": settings.api_url,
        "consoleUrl": None,
        "appUrl": settings.app_url,
        "sandboxUrl": settings.sandbox_url if settings.demo else None,
        "endpointUrl": settings.endpoint,
        "proxyUrl": settings.proxy_url,
        "region": REGION,
        "tables": {name: outputs[f"{name.capitalize()}Table"] for name in tables},
        "queues": {name: outputs[f"{word}Queue"] for name, word in lanes.items()},
        "deadLetterQueues": {name: outputs[f"{word}DeadLetters"] for name, word in lanes.items()},
        "contentBucket": outputs["ContentBucket"],
        "eventBus": outputs["EventBus"],
        "tokenKey": outputs["TokenKeyArn"],
        "jwtSecret": outputs.get("JwtSecretArn"),
        "providerSecretPrefix": f"{settings.stack}/providers/",
        "functions": {name: outputs[f"{word}Function"] for name, word in functions.items()},
    }


def read(settings: Settings) -> dict:
    """The description of a stack that is up."""
    return json.loads((settings.folder / "stack.json").read_text())


def put(path: Path, value: dict) -> None:
    """Writes a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(value, indent=2) + "\n")
    new.replace(path)
