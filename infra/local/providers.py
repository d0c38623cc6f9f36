"""The providers' secrets: the operator's registrations from `.env`, and for the sandbox what it accepts."""

import json
import urllib.request

import deploy
from settings import ROOT, Settings

# Which variables (SPEC's list) fill which fields of which provider's secret. A provider counts once its first variable is set.
VARIABLES = {
    "google_drive": {"GOOGLE_DRIVE_CLIENT_ID": "clientId", "GOOGLE_DRIVE_CLIENT_SECRET": "clientSecret"},
    "slack": {"SLACK_CLIENT_ID": "clientId", "SLACK_CLIENT_SECRET": "clientSecret", "SLACK_SIGNING_SECRET": "signingSecret"},
    "github": {"GITHUB_CLIENT_ID": "clientId", "GITHUB_CLIENT_SECRET": "clientSecret", "GITHUB_WEBHOOK_SECRET": "signingSecret"},
    "notion": {"NOTION_CLIENT_ID": "clientId", "NOTION_CLIENT_SECRET": "clientSecret", "NOTION_VERIFICATION_TOKEN": "signingSecret"},
}


def write(settings: Settings, stack: dict) -> None:
    """Writes the secrets of all providers that are known here: those of `.env`, and the sandbox's for the others. The sandbox is up."""
    known = sandbox(settings) if settings.demo else {}
    own = {} if settings.throwaway else from_file()
    for provider, secret in (known | own).items():
        put(settings, f"{stack['providerSecretPrefix']}{provider}", secret)


def from_file() -> dict[str, dict]:
    """The registrations in `.env`."""
    path = ROOT / ".env"
    given = dict(parse(path.read_text())) if path.exists() else {}
    found = {}
    for provider, names in VARIABLES.items():
        secret = {field: given[name] for name, field in names.items() if given.get(name)}
        if next(iter(names)) in given and secret:
            found[provider] = secret
    return found


def parse(text: str) -> list[tuple[str, str]]:
    """Lines of `NAME=value`; quotes around a value are taken off, and what begins with # is for people."""
    lines = (line.strip().removeprefix("export ").partition("=") for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [(name.strip(), value.strip().strip("\"'")) for name, equals, value in lines if equals and value.strip()]


# The emulated providers: their name in the sandbox's addresses, and what their secret has beside client and endpoints.
EMULATED = {
    "google_drive": ("google", {}),
    # What the sandbox signs its events with; it sends them to the stack's API by itself.
    "slack": ("slack", {"signingSecret": "sandbox-signing-secret"}),
    # Its hooks are made in each repository, with secrets of their own.
    "github": ("github", {}),
    # The verification token that the sandbox signs its webhooks with; it sends them to the stack's API by itself.
    "notion": ("notion", {"signingSecret": "secret_sandbox"}),
}


def sandbox(settings: Settings) -> dict[str, dict]:
    """The registration that every sandbox has; it says itself which of its addresses stand in for which of the providers'."""
    with urllib.request.urlopen(f"{settings.sandbox_url}/control/endpoints", timeout=10) as answer:
        emulated = json.load(answer)
    return {provider: registration(settings, emulated[name], more) for provider, (name, more) in EMULATED.items() if name in emulated}


def registration(settings: Settings, endpoints: dict[str, str], more: dict) -> dict:
    """One provider's secret; where a fault proxy stands in between, its address replaces the sandbox's."""
    if settings.providers_port:
        proxied = f"http://localhost:{settings.providers_port}"
        endpoints = {prefix: there.replace(settings.sandbox_url, proxied, 1) for prefix, there in endpoints.items()}
    return {"clientId": "sandbox-client", "clientSecret": "sandbox-secret", "endpoints": endpoints} | more


def put(settings: Settings, name: str, secret: dict) -> None:
    """Creates the secret or gives it a new value; unchanged ones are left alone."""
    client = deploy.client(settings, "secretsmanager")
    text = json.dumps(secret, sort_keys=True)
    try:
        if client.get_secret_value(SecretId=name)["SecretString"] != text:
            client.put_secret_value(SecretId=name, SecretString=text)
    except client.exceptions.ResourceNotFoundException:
        client.create_secret(Name=name, SecretString=text)
