"""Puts the template on the embedded stack with the SAM CLI, exactly as it goes to AWS; does nothing when nothing changed."""

import hashlib
import json
import os
import subprocess
import urllib.error
import urllib.request

import boto3
import botocore.exceptions

import build
import processes
import tools
from settings import REGION, ROOT, Failure, Settings

# Parameters of the template that may be given as variables, e.g. for tests.
OPTIONAL = {"JWT_ALGORITHM": "JwtAlgorithm", "JWKS_URL": "JwksUrl", "JWT_ISSUER": "JwtIssuer", "JWT_AUDIENCE": "JwtAudience", "ALLOWED_ORIGINS": "AllowedOrigins",
            "BIND_STATE_TO_BROWSER": "BindStateToBrowser", "SUCCESS_REDIRECT": "SuccessRedirect", "ERROR_REDIRECT": "ErrorRedirect"}


def ensure(settings: Settings) -> dict[str, str]:
    """Deploys if the template, the parameters or a binary changed, or if what was deployed did not come back; the stack's outputs."""
    wanted = hashlib.sha256((build.fingerprint() + json.dumps(parameters(settings))).encode()).hexdigest()
    stamp = settings.folder / "deployed"
    outputs = outputs_of(settings)
    if stamp.exists() and stamp.read_text() == wanted and outputs and whole(settings, outputs):
        return outputs
    print(f"==> deploying {settings.stack}", flush=True)
    stamp.unlink(missing_ok=True)
    deploy(settings)
    outputs = outputs_of(settings)
    if not outputs or not processes.until(lambda: whole(settings, outputs), patience_s=30):
        raise Failure(f"the stack was deployed but does not answer; see {settings.folder / 'emulator.log'}")
    stamp.write_text(wanted)
    return outputs


def parameters(settings: Settings) -> dict[str, str]:
    """The template's parameters on this stack."""
    wanted = {} if settings.throwaway else OPTIONAL
    given = {name: os.environ[variable] for variable, name in wanted.items() if os.environ.get(variable)}
    return {
        "Stage": "local",
        "Architecture": build.architecture(),
        "AppUrl": settings.app_url,
        "PublicUrl": settings.api_url,
        "ApiId": settings.api_id,
    } | given


def deploy(settings: Settings) -> None:
    """Runs `sam deploy`; what it says is kept in a log and shown only if it fails."""
    clear_failed(settings)
    bucket = f"{settings.stack}-artifacts"
    client(settings, "s3").create_bucket(Bucket=bucket)
    command = [
        tools.program("sam", of="sam"), "deploy", "--template-file", str(build.TEMPLATE), "--config-env", "embedded",
        "--stack-name", settings.stack, "--region", REGION, "--s3-bucket", bucket, "--capabilities", "CAPABILITY_IAM",
        "CAPABILITY_AUTO_EXPAND", "--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar",
        "--parameter-overrides", *(f"{name}={value}" for name, value in parameters(settings).items()),
    ]  # fmt: skip
    log = settings.folder / "deploy.log"
    with log.open("wb") as words:
        done = subprocess.run(command, cwd=ROOT, env=settings.aws_env(), stdout=words, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise Failure(f"the deployment failed:\n{processes.tail(settings.folder, 'deploy', lines=40)}")


def clear_failed(settings: Settings) -> None:
    """Deletes what is left of a stack whose creation failed or was cut off; such a one cannot be updated."""
    processes.until(lambda: not (status_of(settings) or "").endswith("_IN_PROGRESS"), patience_s=30)
    if status_of(settings) in ("CREATE_FAILED", "CREATE_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED",
                               "REVIEW_IN_PROGRESS"):
        client(settings, "cloudformation").delete_stack(StackName=settings.stack)
        if not processes.until(lambda: status_of(settings) in (None, "DELETE_COMPLETE"), patience_s=60):
            raise Failure(f"the failed stack {settings.stack} cannot be deleted; `make reset` forgets everything and begins anew")


def status_of(settings: Settings) -> str | None:
    """The stack's status; None if there is no such stack."""
    try:
        return client(settings, "cloudformation").describe_stacks(StackName=settings.stack)["Stacks"][0]["StackStatus"]
    except botocore.exceptions.ClientError:
        return None


def outputs_of(settings: Settings) -> dict[str, str]:
    """The outputs of the deployed stack; empty if there is none in good order."""
    if status_of(settings) not in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"):
        return {}
    stack = client(settings, "cloudformation").describe_stacks(StackName=settings.stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def whole(settings: Settings, outputs: dict[str, str]) -> bool:
    """Whether what the outputs name is really there; a restored emulator might have lost some of it."""
    functions = client(settings, "lambda")
    tables = client(settings, "dynamodb")
    queues = client(settings, "sqs")
    try:
        for key, value in outputs.items():
            if key.endswith("Function"):
                functions.get_function(FunctionName=value)
            elif key.endswith("Table"):
                tables.describe_table(TableName=value)
            elif key.endswith(("Queue", "DeadLetters")):
                queues.get_queue_attributes(QueueUrl=value, AttributeNames=["QueueArn"])
        mappings = functions.list_event_source_mappings()["EventSourceMappings"]
    except botocore.exceptions.ClientError:
        return False
    return len(mappings) >= 4 and healthy(settings)


def healthy(settings: Settings) -> bool:
    """Whether the API answers through the gateway and its function."""
    try:
        with urllib.request.urlopen(f"{settings.api_url}/health", timeout=10) as answer:
            return answer.status == 200
    except (OSError, urllib.error.HTTPError):
        return False


def client(settings: Settings, service: str):
    """An AWS client of the embedded stack."""
    return boto3.client(
        service, endpoint_url=settings.endpoint, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )
