"""How long a stack under test waits for what only the passing of time ends."""

import deploy
from settings import Settings

# What a killed worker held comes back after this: longer than a worker's lease, which is its time limit and ten seconds.
VISIBILITY_S = 30
# Three visibility timeouts and some: a run whose worker is gone for longer is stalled.
STALL_S = 105


def hasten(settings: Settings, stack: dict) -> None:
    """Shortens what only the passing of time ends: the wait for what a killed worker held, and for a run that nobody works on."""
    queues, functions = deploy.client(settings, "sqs"), deploy.client(settings, "lambda")
    for url in stack["queues"].values():
        queues.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(VISIBILITY_S)})
    name = stack["functions"]["sync-worker"]
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": variables | {"STALL_SECONDS": str(STALL_S)}}
    )
