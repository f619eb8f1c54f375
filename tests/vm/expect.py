# SPDX-License-Identifier: Apache-2.0
"""Reads a test's expect.json. What it does not know is an error: a typing mistake in a key
must not become an expectation that nobody checks."""

import json
import os

KERNELS = ("6.1", "6.12")

# JSON type by key; a default where the key may be missing.
_TEST = {
    "what": (str, None),            # one line: the fault
    "kernels": (list, list(KERNELS)),
    "left_out": (str, ""),          # why kernels are missing
    "timeout_s": (int, 90),         # for the whole job, restore included
    "config": (dict, {}),           # sections of ffdc.toml
    "events": (list, []),           # each must appear
    "no_events": (list, []),        # none may appear
    "incidents": (int, 1),
    "first_cause": (dict, {}),      # of one incident, or of the one that `incident_causes` misses
    "incident_causes": (list, []),  # of several, in any order
}
# What an event may be asked for; strings may hold the wildcards * and ?.
_EVENT = {
    "kind": str,
    "domain": str,
    "severity": str,
    "subject": str,        # subject.id
    "subject_name": str,
    "client": str,         # the name of one of its clients
    "no_client": str,      # none of its clients has this name
    "summary": str,
    "status": str,         # one of errors[].status
    "within_ms": int,      # from the mark to the agent raising it
    "after_ms": int,       # not earlier than this
    "mark": str,           # which mark; default: the unnamed one
}
_CAUSE = {"kind": str, "subject": str, "subject_name": str, "summary": str}

DOMAINS = ("OTHER", "X1", "X2", "X3", "LIFE_CYCLE", "RESOURCE", "REQUESTED")
SEVERITIES = ("INFO", "WARNING", "CRITICAL")


class ExpectError(Exception):
    """expect.json is wrong; says where."""


def _check_keys(what, given, known):
    if not isinstance(given, dict):
        raise ExpectError(f"{what}: not an object")
    for key, value in given.items():
        if key not in known:
            raise ExpectError(f"{what}: unknown key '{key}': use {', '.join(known)}")
        wanted = known[key][0] if isinstance(known[key], tuple) else known[key]
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ExpectError(f"{what}: '{key}' must be of type {wanted.__name__}")


def _check_event(what, event):
    _check_keys(what, event, _EVENT)
    if "kind" not in event:
        raise ExpectError(f"{what}: no 'kind'")
    for key, words in (("domain", DOMAINS), ("severity", SEVERITIES)):
        if key in event and event[key] not in words:
            raise ExpectError(f"{what}: '{key}' is '{event[key]}': use {', '.join(words)}")


class Expectation:
    """A checked expect.json, with defaults filled in."""

    def __init__(self, given, name):
        _check_keys(name, given, _TEST)
        for key, (_, default) in _TEST.items():
            if key not in given and default is None:
                raise ExpectError(f"{name}: no '{key}'")
            setattr(self, key, given.get(key, default))
        for key in ("events", "no_events"):
            for number, event in enumerate(getattr(self, key)):
                _check_event(f"{name}: {key}[{number}]", event)
        causes = self.incident_causes or ([self.first_cause] if self.first_cause else [])
        for cause in causes:
            _check_keys(f"{name}: first cause", cause, _CAUSE)
        if len(causes) > self.incidents:
            raise ExpectError(f"{name}: {len(causes)} first causes of {self.incidents} incidents")
        self.causes = causes
        unknown = [kernel for kernel in self.kernels if kernel not in KERNELS]
        if unknown or not self.kernels:
            raise ExpectError(f"{name}: 'kernels' must name some of {', '.join(KERNELS)}")
        if set(self.kernels) != set(KERNELS) and not self.left_out:
            raise ExpectError(f"{name}: 'left_out' must say why not every kernel is in 'kernels'")
        if self.incidents and not self.events:
            raise ExpectError(f"{name}: incidents without 'events' say nothing of their cause")


def load(folder):
    """The expectation of the test in `folder`."""
    path = os.path.join(folder, "expect.json")
    name = os.path.join(os.path.basename(os.path.dirname(folder)), os.path.basename(folder), "expect.json")
    try:
        with open(path, encoding="utf-8") as file:
            given = json.load(file)
    except (OSError, ValueError) as error:
        raise ExpectError(f"{name}: {error}") from None
    return Expectation(given, name)
