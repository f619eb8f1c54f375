# SPDX-License-Identifier: Apache-2.0
"""Compares what a job left in /out with what its expect.json asks for."""

import fnmatch
import json
import os
import re

SANITIZER = re.compile(r"ERROR: (Address|Leak|Thread|Memory)Sanitizer|WARNING: ThreadSanitizer|: runtime error: ")


class Results:
    """The files of one job, parsed. What cannot be parsed is a problem, not an empty list."""

    def __init__(self, folder):
        self.folder = folder
        self.problems = []
        self.events = self._json("event-list.json").get("events", [])
        listed = self._json("incident-list.json").get("incidents", [])
        self.incidents = []
        for incident in listed:
            shown = self._json(f"incident-{incident.get('id')}.json").get("incident")
            self.incidents.append(shown or incident)
        self.status = self._json("status.json")
        self.probes = self._json("probe-list.json").get("probes", [])
        self.marks = {}
        for name in sorted(os.listdir(folder)):
            if name == "mark" or name.startswith("mark-"):
                text = self.text(name).strip()
                if not text.isdigit():
                    self.problems.append(f"{name} is no time: '{text}'")
                    continue
                self.marks[name[5:]] = int(text)

    def text(self, name):
        try:
            with open(os.path.join(self.folder, name), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def _json(self, name):
        try:
            parsed = json.loads(self.text(name))
            if isinstance(parsed, dict):
                return parsed
            self.problems.append(f"{name} holds no object")
        except ValueError:
            self.problems.append(f"{name} is missing or not JSON: ffdcctl could not tell")
        return {}


def describe(event):
    """An event in the words of expect.json."""
    subject = event.get("subject", {})
    parts = [event.get("kind", "?"), event.get("domain", "OTHER"), event.get("severity", "?"),
             f"subject={subject.get('id', '')}", f"name={subject.get('name', '')}"]
    parts += [f"client={client.get('name', '')}" for client in event.get("clients", [])]
    if event.get("summary"):
        parts.append(f"'{event['summary']}'")
    return " ".join(parts)


def raised_ns(event):
    """When the agent raised it; from agents that do not tell, when the kernel saw it first."""
    return int(event.get("detected_mono_ns") or event.get("first_mono_ns") or 0)


# From the kernel knowing of it (of a stall: since nothing moves, with detect.stall_after at its
# default) to the agent raising it.
KNOWN_MS = {"io.error": 1000, "path.lost": 1000, "link.down": 1000, "io.stall": 3000}


def known_ms(event):
    """Time from the kernel's first word to the event; None if the agent does not tell."""
    if not event.get("detected_mono_ns") or not event.get("first_mono_ns"):
        return None
    return (int(event["detected_mono_ns"]) - int(event["first_mono_ns"])) / 1e6


def _like(pattern, text):
    return fnmatch.fnmatchcase(text or "", pattern)


def _differs(wanted, event):
    """Keys of `wanted`, times left out, that the event does not fulfil."""
    subject = event.get("subject", {})
    clients = [client.get("name", "") for client in event.get("clients", [])]
    have = {
        "kind": event.get("kind"),
        # proto3 JSON leaves out the first value of an enum.
        "domain": event.get("domain", "OTHER"),
        "severity": event.get("severity", ""),
        "subject": subject.get("id"),
        "subject_name": subject.get("name"),
        "summary": event.get("summary"),
    }
    wrong = [key for key in have if key in wanted and not _like(wanted[key], have[key])]
    if "client" in wanted and not any(_like(wanted["client"], name) for name in clients):
        wrong.append("client")
    if "no_client" in wanted and any(_like(wanted["no_client"], name) for name in clients):
        wrong.append("no_client")
    if "status" in wanted and not any(_like(wanted["status"], error.get("status"))
                                      for error in event.get("errors", [])):
        wrong.append("status")
    return wrong


class Verdict:
    """`problems` is empty if all is as expected; `detected_ms` is what the table shows."""

    def __init__(self):
        self.problems = []
        self.detected_ms = None

    @property
    def ok(self):
        return not self.problems


def _judge_time(wanted, event, results, patience, verdict):
    """Only events of the right kind, subject and client come here."""
    name = wanted.get("mark", "")
    if name not in results.marks:
        if "within_ms" in wanted or "after_ms" in wanted or "mark" in wanted:
            verdict.problems.append(f"run.sh set no mark{' ' + name if name else ''}")
        return
    when = raised_ns(event)
    if not when:
        verdict.problems.append(f"no time of detection in: {describe(event)}")
        return
    took_ms = (when - results.marks[name]) / 1e6
    after_ms = known_ms(event)
    known_limit_ms = KNOWN_MS.get(event["kind"], float("inf")) * patience
    if after_ms is not None and after_ms > known_limit_ms:
        verdict.problems.append(f"late: {after_ms:.0f} ms after the kernel knew, expected {known_limit_ms} ms at the "
                                f"most: {describe(event)}")
    if verdict.detected_ms is None:
        verdict.detected_ms = took_ms
    if took_ms < wanted.get("after_ms", 0):
        verdict.problems.append(f"too early: {took_ms:.0f} ms after the mark, expected {wanted.get('after_ms', 0)} ms "
                                f"at the least: {describe(event)}")
    limit_ms = wanted.get("within_ms", float("inf")) * patience
    if took_ms > limit_ms:
        verdict.problems.append(f"late: {took_ms:.0f} ms after the mark, expected {limit_ms} ms at the most: "
                                f"{describe(event)}")


def _judge_events(expected, results, patience, verdict):
    for wanted in expected.events:
        found = [event for event in results.events if not _differs(wanted, event)]
        if found:
            _judge_time(wanted, min(found, key=raised_ns), results, patience, verdict)
            continue
        near = [event for event in results.events if event.get("kind") == wanted["kind"]]
        got = [f"{describe(event)} (differs in {', '.join(_differs(wanted, event))})" for event in near]
        got = got or [describe(event) for event in results.events] or ["no event at all"]
        verdict.problems.append(f"missing event {json.dumps(wanted)}; got: {'; '.join(got)}")
    for forbidden in expected.no_events:
        for event in results.events:
            if not _differs(forbidden, event):
                verdict.problems.append(f"forbidden event {json.dumps(forbidden)}: {describe(event)}")


def first_cause(incident):
    """{kind, subject, subject_name, summary}; from agents that do not tell, of the first event."""
    cause = incident.get("first_cause")
    if cause:
        return {"kind": cause.get("kind"), "subject": cause.get("subject_id"),
                "subject_name": cause.get("subject_name"), "summary": cause.get("summary")}
    subject = incident.get("subject", {})
    return {"kind": incident.get("kind"), "subject": subject.get("id"), "subject_name": subject.get("name"),
            "summary": incident.get("summary")}


def _judge_incidents(expected, results, verdict):
    if len(results.incidents) != expected.incidents:
        got = "; ".join(f"{json.dumps(first_cause(incident))}" for incident in results.incidents) or "none"
        verdict.problems.append(f"expected {expected.incidents} incident{'s' * (expected.incidents != 1)}, "
                                f"got {len(results.incidents)}: {got}")
        return
    left = [first_cause(incident) for incident in results.incidents]
    for wanted in expected.causes:
        fits = [cause for cause in left if all(_like(value, cause[key]) for key, value in wanted.items())]
        if fits:
            left.remove(fits[0])
        else:
            verdict.problems.append(f"no incident with the first cause {json.dumps(wanted)}; got: "
                                    f"{'; '.join(json.dumps(cause) for cause in left)}")


def _judge_agent(results, verdict):
    state = dict(line.partition("=")[::2] for line in results.text("ffdcd.state").splitlines())
    if state.get("ActiveState") != "active":
        verdict.problems.append(f"ffdcd died: {' '.join(f'{key}={value}' for key, value in sorted(state.items()))}")
    found = SANITIZER.search(results.text("ffdcd.log"))
    if found:
        verdict.problems.append(f"sanitizer report in ffdcd's log: {found.group(0)}")


def judge(expected, results, code, patience=1):
    """The verdict on a job that ended with `code`."""
    verdict = Verdict()
    if code != 0:
        verdict.problems.append(f"run.sh failed: exit code {code}")
    verdict.problems += results.problems
    _judge_agent(results, verdict)
    _judge_events(expected, results, patience, verdict)
    _judge_incidents(expected, results, verdict)
    return verdict
