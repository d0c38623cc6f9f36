"""What generated requests need to make sense: cursors that were handed out, keys that are new, and paths that arrive."""

import os
import uuid
from urllib.parse import unquote, urlencode

import schemathesis


CALLER = os.environ["CONFORMANCE_CALLER"]


@schemathesis.hook
def filter_path_parameters(context, path_parameters):
    """No line breaks: the embedded gateway finds no route for them. AWS does."""
    return not any("\n" in unquote(value) for value in (path_parameters or {}).values() if isinstance(value, str))


@schemathesis.hook
def filter_query(context, query):
    """No longer than a gateway takes (10,240 bytes with all headers): beyond that it refuses by itself, in its own words."""
    return len(urlencode(query or {}, doseq=True)) < 6000


@schemathesis.hook
def before_call(context, case, kwargs):
    """Keeps the caller what they are, and adjusts requests that are meant to be good; those that are meant to be bad stay as they are."""
    # The tool reads in the token who calls. An administrator who changes their own rights is none any more.
    for name, value in list((case.path_parameters or {}).items()):
        if unquote(str(value)) == CALLER:
            case.path_parameters[name] = "conformance-somebody"
    generation = case.meta.generation if case.meta else None
    if generation is None or not generation.mode.is_positive:
        return
    # A cursor is opaque, so a made-up one is never good. Without it, the first page is asked for.
    if case.query and "cursor" in case.query:
        case.query = {name: value for name, value in case.query.items() if name != "cursor"}
    # A form has no null; its fields are there or not.
    if case.media_type == "application/x-www-form-urlencoded" and isinstance(case.body, dict):
        case.body = {name: value for name, value in case.body.items() if value is not None}
    # A generator likes short keys and uses them again, with other bodies.
    for name in list(case.headers or {}):
        if name.lower() == "idempotency-key":
            case.headers[name] = str(uuid.uuid4())
