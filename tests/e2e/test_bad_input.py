# SPDX-License-Identifier: Apache-2.0
"""What is wrong is said clearly: which object, why, what to do; and with the right exit code."""

import json
import os
import shutil
import signal
import socket
import subprocess

import harness
from harness import E2eTest, wait_for

NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]


class ConfigTest(E2eTest):
    def check(self, text):
        path = os.path.join(self.folder, "bad.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        runs = [subprocess.run([harness.FFDCD, *flag, "--config", path], capture_output=True, text=True,
                               timeout=30) for flag in (["--check-config"], [])]
        self.assertEqual(runs[0].stderr, runs[1].stderr, "the check is what the start runs, too")
        self.assertEqual([r.returncode for r in runs], [1, 1])
        self.assertEqual(runs[0].stdout, "")
        return runs[0].stderr, path

    def refused(self, text, line, *words):
        error, path = self.check(text)
        self.assertIn(f"{path}:{line}", error)
        for word in words:
            self.assertIn(word, error)

    def test_not_toml(self):
        self.refused('[node]\nname = "unfinished\n', 2)

    def test_unknown_key_gets_the_nearest_name(self):
        self.refused('[incident]\nquiet_aftr = "60s"\n', 2, "quiet_aftr", "quiet_after")

    def test_unknown_section(self):
        self.refused('[node]\n[stoer]\nurl = "dir:/tmp"\n', 2, "stoer", "store")

    def test_wrong_type(self):
        self.refused('[devices]\n\ninclude = "sda"\n', 3, "devices.include")

    def test_wrong_unit(self):
        self.refused('[incident]\nquiet_after = "60 parsecs"\n', 2, "quiet_after")
        self.refused('[spool]\nmax_bytes = "12 XB"\n', 2, "max_bytes")
        self.refused('[incident]\nquiet_after = 60\n', 2, "quiet_after")

    def test_wrong_store_url(self):
        self.refused('[store]\nurl = "ftp://example.org/captures"\n', 2, "store.url", "dir:")
        self.refused('[store]\nurl = "dir:relative/path"\n', 2, "store.url")

    def test_missing_file(self):
        done = subprocess.run([harness.FFDCD, "--config", "/nonexistent/ffdc.toml"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^[^\n]*/nonexistent/ffdc.toml[^\n]*\n$")

    def test_empty_file_is_valid(self):
        path = os.path.join(self.folder, "empty.toml")
        with open(path, "w", encoding="utf-8"):
            pass
        done = subprocess.run([harness.FFDCD, "--check-config", "--config", path], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_unknown_flag(self):
        done = subprocess.run([harness.FFDCD, "--no-such-flag"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)


class StartTest(E2eTest):
    def test_not_root(self):
        # The build folder may lie where nobody may look.
        shared = os.path.join(self.folder, "ffdcd")
        shutil.copy(harness.FFDCD, shared)
        os.chmod(self.folder, 0o755)
        agent = self.agent([], start=False)
        config = agent.write_config()
        os.chmod(agent.folder, 0o755)
        done = subprocess.run([*NOBODY, shared, "--config", config], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^[^\n]*root[^\n]*\n$")

    def test_no_btf(self):
        empty = os.path.join(self.folder, "empty")
        os.mkdir(empty)
        disk = self.disk()
        agent = self.agent([disk], prefix=["unshare", "-m", "sh", "-c",
                                           f'mount --bind {empty} /sys/kernel/btf && exec "$0" "$@"'])
        probe = agent.probe("block_io")
        self.assertFalse(probe["active"])
        self.assertIn("BTF", probe["reason"])
        self.assertTrue([p for p in agent.problems() if "block_io" in p and "BTF" in p], agent.problems())
        # What does not need the kernel's types still works.
        self.assertEqual(agent.ctl("dump", "--reason", "no BTF").returncode, 0)
        self.check_stored_once(agent, agent.wait_stored()[0]["id"])

    def test_second_agent_on_one_spool_refuses(self):
        disk = self.disk()
        first = self.agent([disk])
        second = self.agent([disk], start=False, spool=first.spool)
        second.start(ready=False)
        self.assertEqual(second.wait_end(), 1)
        self.assertIn(f"pid {first.process.pid}", second.log())
        self.assertIn(first.spool, second.log())
        self.assertEqual(first.ctl("status").returncode, 0)

    def test_second_agent_on_one_socket_refuses(self):
        disk = self.disk()
        first = self.agent([disk])
        second = self.agent([disk], start=False)
        second.socket = first.socket
        second.start(ready=False)
        self.assertEqual(second.wait_end(), 1)
        self.assertIn(first.socket, second.log())
        self.assertEqual(first.ctl("status").returncode, 0)

    def test_stale_socket_is_replaced(self):
        agent = self.agent([self.disk()], start=False)
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(agent.socket)
        agent.start()
        agent.kill()
        self.assertTrue(os.path.exists(agent.socket), "left behind by SIGKILL")
        agent.start()
        self.assertEqual(agent.ctl("status").returncode, 0)

    def test_a_file_in_the_sockets_place_is_not_removed(self):
        agent = self.agent([self.disk()], start=False)
        with open(agent.socket, "w", encoding="utf-8") as file:
            file.write("precious")
        agent.start(ready=False)
        self.assertEqual(agent.wait_end(), 1)
        self.assertIn(agent.socket, agent.log())
        with open(agent.socket, encoding="utf-8") as file:
            self.assertEqual(file.read(), "precious")

    def test_stops_in_order_on_sigint(self):
        agent = self.agent([self.disk()])
        agent.process.send_signal(signal.SIGINT)
        self.assertEqual(agent.wait_end(), 0)
        self.assertFalse(os.path.exists(agent.socket))
        wait_for(lambda: not agent.pids(), "launcher and workers to end with the agent")


class CtlTest(E2eTest):
    def test_exit_codes_and_one_line(self):
        agent = self.agent([self.disk()])
        for expected, *args in ((2, "no-such-command"), (2, "status", "--no-such-flag"), (2, "incident"),
                                (2, "incident", "show"), (2,), (1, "incident", "show", "0"),
                                (1, "incident", "pull", "0"), (1, "incident", "verify", "0")):
            done = agent.ctl(*args)
            self.assertEqual(done.returncode, expected, f"ffdcctl {args}: {done.stderr}")
            self.assertEqual(done.stdout, "", args)
            self.assertTrue(done.stderr.strip(), args)
            if expected == 1:
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)

    def test_unreachable_agent(self):
        missing = os.path.join(self.folder, "nobody.sock")
        for args in (["status"], ["incident", "list", "--json"], ["event", "watch"], ["selftest"]):
            done = subprocess.run([harness.FFDCCTL, "--socket", missing, *args], capture_output=True, text=True,
                                  timeout=30)
            self.assertEqual(done.returncode, 3, args)
            self.assertRegex(done.stderr, rf"^[^\n]*{missing}[^\n]*\n$")
        environment = {**os.environ, "FFDC_SOCKET": missing}
        done = subprocess.run([harness.FFDCCTL, "status"], capture_output=True, text=True, env=environment)
        self.assertEqual(done.returncode, 3)
        self.assertIn(missing, done.stderr)

    def test_agent_that_does_not_answer(self):
        agent = self.agent([self.disk()])
        agent.process.send_signal(signal.SIGSTOP)
        try:
            done = agent.ctl("status", timeout=30)
        finally:
            agent.process.send_signal(signal.SIGCONT)
        self.assertEqual(done.returncode, 3)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        wait_for(lambda: agent.ctl("status").returncode == 0, "the agent to answer again")

    def test_pull_to_a_full_disk(self):
        agent = self.agent([self.disk()])
        agent.ctl("dump")
        incident = agent.wait_stored()[0]["id"]
        done = agent.ctl("incident", "pull", incident, "-o", "/dev/full")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)

    def test_config_show(self):
        agent = self.agent([self.disk()], config={"incident": {"quiet_after": "7s"}})
        settings = {s["key"]: s for s in agent.ctl_json("config", "show")["settings"]}
        self.assertEqual(json.loads(settings["incident.quiet_after"]["value"]), "7s")
        self.assertFalse(settings["incident.quiet_after"]["is_default"])
        self.assertTrue(settings["spool.max_bytes"]["is_default"])


if __name__ == "__main__":
    harness.main()
