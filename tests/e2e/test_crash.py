# SPDX-License-Identifier: Apache-2.0
"""Killed by SIGKILL at any moment, the agent finishes or discards on restart what was half
done: no capture lost, none published half, none twice."""

import glob
import os
import random
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import harness
from harness import E2eTest, capture_of, wait_for

QUIET = {"incident": {"quiet_after": "1s"}}
AT_THE_SAME_TIME = 3
# Passed by an agent as it starts: it may be dead by the time that the disk fails.
EARLY_POINTS = ("store.marked",)


class CrashTest(E2eTest):
    def check_one_incident(self, agent):
        """After a crash and a restart: one incident, stored, verified, and nothing else anywhere."""
        incident = agent.wait_stored(timeout=40)[0]
        self.assertEqual(incident["kind"], "io.error")
        self.assertFalse(incident["repeat"])
        self.check_stored_once(agent, incident["id"])
        self.assertEqual(len(agent.stored_folders()), 1, agent.stored_folders())
        self.assertEqual(glob.glob(os.path.join(agent.spool, "damaged", "*")), [])
        return incident["id"]

    def crash_at(self, agent, disk, point):
        """Returns what is wrong, or None."""
        try:
            agent.start(ready=False, env={"FFDC_CRASH_AT": point})
            try:
                agent.wait_ready()
            except AssertionError:
                if agent.process.poll() != -signal.SIGKILL:
                    raise
            disk.fail()
            try:
                code = agent.wait_end()
            except AssertionError:
                return f"the agent never passed {point}"
            if code != -signal.SIGKILL:
                return f"the agent ended with {code} instead of being killed at {point}"
            wait_for(lambda: not agent.pids(), "launcher and workers to be killed, too")
            agent.start()
            # What lies half written in the store may be its marker.
            kept = [path for path in agent.leftovers() if not path.startswith(agent.cluster_dir)]
            if not agent.incidents() and not kept:
                if point not in EARLY_POINTS:
                    return "the failure is forgotten"
                disk.fail()
            self.check_one_incident(agent)
            # A crash must not be remembered only until the next one.
            if agent.stop() != 0:
                return "the agent does not stop in order"
            agent.start()
            self.check_one_incident(agent)
            agent.stop()
            return None
        except Exception as error:  # pylint: disable=broad-except
            return f"{type(error).__name__}: {error}"
        finally:
            agent.kill()

    def test_every_crash_point(self):
        listed = subprocess.run([harness.FFDCD, "--list-crash-points"], capture_output=True, text=True,
                                check=True)
        points = listed.stdout.split()
        self.assertGreater(len(points), 20, points)
        cases = []
        for point in points:
            disk = self.disk()
            agent = self.agent([disk], start=False, config=QUIET)
            disk.lose()
            cases.append((agent, disk, point))
        with ThreadPoolExecutor(AT_THE_SAME_TIME) as pool:
            results = list(pool.map(lambda case: self.crash_at(*case), cases))
        for (agent, _, point), wrong in zip(cases, results):
            with self.subTest(point=point):
                if wrong is not None:
                    self.fail(f"{wrong}\n---- log of the agent:\n{agent.log()}")

    def test_killed_at_random_moments(self):
        seed = random.randrange(1 << 32)
        moments = random.Random(seed)
        for attempt in range(5):
            delay = moments.uniform(0, 1.0)
            with self.subTest(seed=seed, attempt=attempt, delay=delay):
                disk = self.disk()
                agent = self.agent([disk])
                disk.lose_and_fail()
                time.sleep(delay)
                agent.kill()
                known = (glob.glob(os.path.join(agent.runtime, "captures", "*", "job.pb")) or agent.sealed()
                         or agent.stored_folders())
                agent.start()
                if known or agent.incidents():
                    self.check_one_incident(agent)
                self.assertEqual(agent.stop(), 0)

    def test_launcher_is_killed(self):
        """Without its launcher the agent can neither capture nor store: it says so and ends, so
        that its supervisor starts it anew; then what was begun is finished."""
        disk = self.disk()
        agent = self.agent([disk])
        disk.lose_and_fail()
        wait_for(agent.staged, "the capture to begin")
        os.kill(agent.launcher_pid(), signal.SIGKILL)
        self.assertEqual(agent.wait_end(), 1, "exit code of an agent that cannot go on")
        self.assertIn("launcher", agent.log())
        wait_for(lambda: not agent.pids(), "workers to end with their launcher")
        agent.start()
        self.check_one_incident(agent)

    def test_worker_is_killed(self):
        """One worker's death costs one collector's file at most, and is told."""
        disk = self.disk()
        agent = self.agent([disk])
        disk.lose_and_fail()
        launcher = agent.launcher_pid()
        workers = wait_for(lambda: [p for p in agent.pids() if p not in (agent.process.pid, launcher)],
                           "a worker", poll=0.001)
        for pid in workers:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        incident_id = self.check_one_incident(agent)
        capture = capture_of(agent.incident(incident_id))
        self.assertEqual(capture["state"], "STORED")

    def test_crash_of_a_restarted_agent(self):
        """Crashes again while it recovers from a crash."""
        disk = self.disk()
        agent = self.agent([disk], start=False)
        disk.lose()
        agent.start(env={"FFDC_CRASH_AT": "seal.begun"})
        disk.fail()
        for point in ("seal.begun", "seal.archived", "seal.renamed", "ship.copied", "ship.published"):
            self.assertEqual(agent.wait_end(), -signal.SIGKILL, point)
            agent.start(ready=False, env={"FFDC_CRASH_AT": point})
        self.assertEqual(agent.wait_end(), -signal.SIGKILL)
        agent.start()
        self.check_one_incident(agent)


if __name__ == "__main__":
    harness.main()
