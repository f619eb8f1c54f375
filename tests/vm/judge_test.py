#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The judge must not pass what is wrong: every way to miss an expectation is one test."""

import copy
import json
import os
import tempfile
import unittest

import expect
import judge

MARK_NS = 10_000_000_000
EVENT = {
    "id": "e1", "kind": "io.error", "severity": "CRITICAL", "node": "vm", "incident_id": "i1",
    "subject": {"type": "block_device", "id": "wwid:naa.1", "name": "sda"},
    "first_mono_ns": str(MARK_NS + 1_000_000), "detected_mono_ns": str(MARK_NS + 250_000_000), "count": "1",
    "errors": [{"op": "read", "status": "critical medium error", "count": "1"}],
    "clients": [{"type": "systemd_unit", "name": "database.service"}],
    "summary": "sda: read failed",
}
INCIDENT = {"id": "i1", "kind": "io.error", "subject": EVENT["subject"], "summary": "sda: read failed",
            "first_cause": {"event_id": "e1", "kind": "io.error", "subject_id": "wwid:naa.1", "subject_name": "sda",
                            "summary": "sda: read failed"}}
EXPECTED = {
    "what": "a test",
    "events": [{"kind": "io.error", "domain": "OTHER", "severity": "CRITICAL", "subject": "wwid:*",
                "subject_name": "sda", "client": "database.service", "status": "critical medium error",
                "within_ms": 1000}],
    "no_events": [{"kind": "io.stall"}],
    "first_cause": {"kind": "io.error", "subject_name": "sda"},
}
ALIVE = "ActiveState=active\nSubState=running\nExecMainStatus=0\n"


class JudgeTest(unittest.TestCase):
    """Each starts from a job where all is well, and makes one thing wrong."""

    def setUp(self):
        temp = tempfile.TemporaryDirectory()
        self.addCleanup(temp.cleanup)
        self.folder = temp.name
        self.expected = copy.deepcopy(EXPECTED)
        self.event = copy.deepcopy(EVENT)
        self.events = [self.event]
        self.incidents = [copy.deepcopy(INCIDENT)]
        self.files = {"mark": f"{MARK_NS}\n", "ffdcd.state": ALIVE, "ffdcd.log": "", "status.json": "{}",
                      "probe-list.json": "{}"}
        self.code = 0

    def judge(self):
        files = dict(self.files)
        files.setdefault("event-list.json", json.dumps({"events": self.events}))
        files.setdefault("incident-list.json", json.dumps({"incidents": self.incidents}))
        for incident in self.incidents:
            files.setdefault(f"incident-{incident['id']}.json", json.dumps({"incident": incident}))
        for name, text in files.items():
            if text is not None:
                with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
        return judge.judge(expect.Expectation(self.expected, "test"), judge.Results(self.folder), self.code)

    def assert_fails(self, *words):
        verdict = self.judge()
        self.assertFalse(verdict.ok, "passed, but must not")
        problems = "\n".join(verdict.problems)
        for word in words:
            self.assertIn(word, problems)

    def test_all_well(self):
        verdict = self.judge()
        self.assertEqual(verdict.problems, [])
        self.assertAlmostEqual(verdict.detected_ms, 250)

    def test_missing_event(self):
        self.events.clear()
        self.assert_fails("missing event", "got: no event at all")

    def test_each_property_counts(self):
        for key, wrong in (("kind", "io.slow"), ("domain", "X1"), ("severity", "WARNING")):
            with self.subTest(key):
                self.event.update(copy.deepcopy(EVENT), **{key: wrong})
                self.assert_fails("missing event", "got: " + ("io.slow" if key == "kind" else "io.error"))
        for key, wrong in (("id", "dev:8:0"), ("name", "sdb")):
            with self.subTest("subject." + key):
                self.event.clear()
                self.event.update(copy.deepcopy(EVENT))
                self.event["subject"][key] = wrong
                self.assert_fails("missing event", "differs in subject")

    def test_wrong_client(self):
        self.event["clients"][0]["name"] = "web.service"
        self.assert_fails("missing event", "differs in client", "client=web.service")

    def test_no_client(self):
        self.event["clients"].clear()
        self.assert_fails("differs in client")

    def test_forbidden_client(self):
        self.expected["events"][0]["no_client"] = "database.*"
        self.assert_fails("differs in no_client")

    def test_wrong_status(self):
        self.event["errors"][0]["status"] = "I/O error"
        self.assert_fails("differs in status")

    def test_properties_of_two_events_do_not_add_up(self):
        other = copy.deepcopy(self.event)
        self.event["subject"]["name"] = "sdb"
        other["clients"][0]["name"] = "web.service"
        self.events.append(other)
        self.assert_fails("missing event")

    def test_forbidden_event(self):
        self.events.append({**copy.deepcopy(EVENT), "kind": "io.stall"})
        self.assert_fails("forbidden event", "io.stall")

    def test_forbidden_by_wildcard(self):
        self.expected["no_events"] = [{"kind": "io.*"}]
        self.assert_fails("forbidden event")

    def test_second_incident(self):
        self.incidents.append({**copy.deepcopy(INCIDENT), "id": "i2"})
        self.assert_fails("expected 1 incident, got 2")

    def test_no_incident(self):
        self.incidents.clear()
        self.assert_fails("expected 1 incident, got 0")

    def test_incident_where_none_may_be(self):
        self.expected = {"what": "quiet", "incidents": 0}
        self.events.clear()
        self.assert_fails("expected 0 incidents, got 1")

    def test_wrong_first_cause(self):
        self.incidents[0]["first_cause"]["kind"] = "task.hung"
        self.assert_fails("no incident with the first cause", "task.hung")

    def test_first_cause_of_an_agent_that_tells_none(self):
        del self.incidents[0]["first_cause"]
        self.assertTrue(self.judge().ok)
        self.incidents[0]["subject"]["name"] = "sdb"
        self.assert_fails("no incident with the first cause")

    def test_one_incident_is_not_two_causes(self):
        self.expected.update(incidents=2, incident_causes=[self.expected.pop("first_cause")] * 2)
        self.incidents.append({**copy.deepcopy(INCIDENT), "id": "i2"})
        self.assertTrue(self.judge().ok)
        self.incidents[1]["first_cause"] = {**INCIDENT["first_cause"], "subject_name": "sdb"}
        self.assert_fails("no incident with the first cause")

    def test_late(self):
        self.event["detected_mono_ns"] = str(MARK_NS + 1_001_000_000)
        self.assert_fails("late: 1001 ms")

    def test_late_by_first_seen(self):
        del self.event["detected_mono_ns"]
        self.assertAlmostEqual(self.judge().detected_ms, 1)
        self.event["first_mono_ns"] = str(MARK_NS + 2_000_000_000)
        self.assert_fails("late: 2000 ms")

    def test_late_after_the_kernel_knew(self):
        del self.expected["events"][0]["within_ms"]
        self.event["detected_mono_ns"] = str(MARK_NS + 1_002_000_000)
        self.assert_fails("late: 1001 ms after the kernel knew")

    def test_before_the_fault(self):
        self.event["detected_mono_ns"] = str(MARK_NS - 1_000_000)
        self.assert_fails("too early")

    def test_too_early(self):
        self.expected["events"][0]["after_ms"] = 500
        self.assert_fails("too early: 250 ms")

    def test_no_time(self):
        del self.event["detected_mono_ns"], self.event["first_mono_ns"]
        self.assert_fails("no time of detection")

    def test_no_mark(self):
        self.files["mark"] = None
        self.assert_fails("set no mark")

    def test_named_mark(self):
        self.expected["events"][0]["mark"] = "repair"
        self.assert_fails("set no mark repair")
        self.files["mark-repair"] = str(MARK_NS + 100_000_000)
        self.assertAlmostEqual(self.judge().detected_ms, 150)

    def test_nonsense_for_a_mark(self):
        self.files["mark"] = "12:30"
        self.assert_fails("mark is no time")

    def test_script_failed(self):
        self.code = 1
        self.assert_fails("run.sh failed: exit code 1")

    def test_agent_died(self):
        self.files["ffdcd.state"] = ALIVE.replace("active", "failed", 1)
        self.assert_fails("ffdcd died")

    def test_agent_state_unknown(self):
        self.files["ffdcd.state"] = ""
        self.assert_fails("ffdcd died")

    def test_sanitizer_report(self):
        for line in ("==1==ERROR: AddressSanitizer: heap-use-after-free", "WARNING: ThreadSanitizer: data race",
                     "a.cc:3:1: runtime error: signed integer overflow"):
            with self.subTest(line):
                self.files["ffdcd.log"] = f"started\n{line}\n"
                self.assert_fails("sanitizer report")

    def test_unreadable_answer(self):
        for name in ("event-list.json", "incident-list.json", "status.json", "probe-list.json"):
            for text in ("", "[]", "{"):
                with self.subTest(name, text=text):
                    files, self.files = self.files, {**self.files, name: text}
                    self.assert_fails(name)
                    self.files = files

    def test_quiet(self):
        self.expected = {"what": "quiet", "incidents": 0, "no_events": [{"kind": "*"}]}
        self.incidents.clear()
        self.assert_fails("forbidden event")
        self.events.clear()
        self.assertTrue(self.judge().ok)


class ExpectTest(unittest.TestCase):
    """An expectation that would check less than it seems to is refused."""

    def refused(self, change, *words):
        given = copy.deepcopy(EXPECTED)
        change(given)
        with self.assertRaises(expect.ExpectError) as caught:
            expect.Expectation(given, "test")
        for word in words:
            self.assertIn(word, str(caught.exception))

    def test_unknown_keys(self):
        self.refused(lambda given: given.update(event=[]), "unknown key 'event'")
        self.refused(lambda given: given["events"][0].update(clients="x"), "unknown key 'clients'")
        self.refused(lambda given: given["no_events"][0].update(sevrity="INFO"), "unknown key 'sevrity'")
        self.refused(lambda given: given["first_cause"].update(name="sda"), "unknown key 'name'")

    def test_types_and_words(self):
        self.refused(lambda given: given.update(incidents="1"), "must be of type int")
        self.refused(lambda given: given.update(incidents=True), "must be of type int")
        self.refused(lambda given: given["events"][0].update(within_ms="1s"), "must be of type int")
        self.refused(lambda given: given["events"].append("io.error"), "not an object")
        self.refused(lambda given: given["events"][0].update(domain="X9"), "use OTHER")
        self.refused(lambda given: given["events"][0].update(severity="critical"), "use INFO")
        self.refused(lambda given: given["events"][0].pop("kind"), "no 'kind'")

    def test_what_is_missing(self):
        self.refused(lambda given: given.pop("what"), "no 'what'")
        self.refused(lambda given: given.pop("events"), "say nothing of their cause")
        self.refused(lambda given: given.update(kernels=["6.12"]), "'left_out' must say why")
        self.refused(lambda given: given.update(kernels=["5.4"], left_out="old"), "must name some of")
        self.refused(lambda given: given.update(kernels=[], left_out="none"), "must name some of")
        self.refused(lambda given: given.update(incidents=0), "first causes of 0 incidents")

    def test_defaults(self):
        given = expect.Expectation({"what": "x", "events": [{"kind": "io.error"}]}, "test")
        self.assertEqual((given.incidents, given.kernels, given.no_events), (1, list(expect.KERNELS), []))

    def test_every_test_of_the_matrix(self):
        here = os.path.dirname(os.path.abspath(__file__))
        for group in ("faults", "quiet"):
            for name in os.listdir(os.path.join(here, group)):
                with self.subTest(f"{group}/{name}"):
                    folder = os.path.join(here, group, name)
                    expect.load(folder)
                    self.assertTrue(os.path.isfile(os.path.join(folder, "run.sh")))


if __name__ == "__main__":
    unittest.main(verbosity=2)
