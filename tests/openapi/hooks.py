"""What the fuzzer does not know how to send, what it must not do, and what it needs of Python."""

import ast
import os
import threading

import schemathesis

# Two threads must not parse at the same time in Pythons before 3.11.8 and 3.12.1: they share a count of how deep they
# are, and fail with "AST constructor recursion depth mismatch" (python/cpython#106905). The fuzzer's workers parse.
parse, turn = ast.parse, threading.Lock()


def parse_in_turn(*args, **kwargs):
    with turn:
        return parse(*args, **kwargs)


ast.parse = parse_in_turn


@schemathesis.serializer("application/x-ndjson", "text/csv")
def as_it_is(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """It lists the clients, and deletes what it found: itself as well, and would be told 401 from then on."""
    parameters = case.path_parameters or {}
    if parameters.get("id") == os.environ["FUZZER"]:
        parameters["id"] = "another"
