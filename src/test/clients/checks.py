"""Checks of one client: each is a function; run() tells a line for each, which run.sh counts."""

import os
import sys
import traceback

REST = os.environ["NIBBLE_REST"]  # such as http://127.0.0.1:8080
GRPC = os.environ["NIBBLE_GRPC"]  # such as 127.0.0.1:9000
SHARED = os.environ.get("NIBBLE_SHARED", "")  # fixtures; may not be there
MODEL = "nibble-home"
COMMAND = "dim the kitchen light to 30 percent"
ANSWER = '{"device":"light","room":"kitchen","action":"dim","value":30}'
CONTEXT = 1024

_checks = []


class Skip(Exception):
    """What can't be checked here, and why."""


def check(name):
    """Makes a function a check; the name says what it shows."""

    def add(function):
        _checks.append((name, function))
        return function

    return add


def equal(actual, wanted):
    assert actual == wanted, f"{actual!r}, but wanted {wanted!r}"


def raises(kind, call):
    """The error of a kind that a call must end with."""
    try:
        result = call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}, but {result!r}")


def run():
    failures = 0
    for name, function in _checks:
        try:
            function()
            print(f"ok {name}", flush=True)
        except Skip as reason:
            print(f"skipped {name}: {reason}", flush=True)
        except BaseException as failure:  # also what a library raises to end the program
            failures += 1
            told = " ".join(str(failure).split())[:400]
            print(f"FAILED {name}: {type(failure).__name__}: {told}", flush=True)
            traceback.print_exc()
    sys.exit(1 if failures else 0)
