# SPDX-License-Identifier: Apache-2.0
"""What others must not read: a real failure, of which only those who may see the inside."""

import json
import os
import subprocess

import harness
from harness import E2eTest, FFDCD, sha256, untar_zst, wait_for


class EncryptionTest(E2eTest):
    def openssl(self, *args, check=True):
        done = subprocess.run(["openssl", *args], capture_output=True, text=True, cwd=self.folder)
        if check:
            self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def certificate(self, name):
        self.openssl("req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "30", "-subj", f"/CN={name}",
                     "-keyout", f"{name}.key", "-out", f"{name}.pem")
        return os.path.join(self.folder, f"{name}.pem")

    def decrypt(self, file, name, check=True):
        out = os.path.join(self.folder, f"by-{name}.tar.zst")
        done = self.openssl("cms", "-decrypt", "-inform", "DER", "-in", file, "-inkey", f"{name}.key", "-recip",
                            f"{name}.pem", "-out", out, check=check)
        return out if done.returncode == 0 else None

    def test_only_recipients_open_what_is_stored(self):
        recipients = [self.certificate("ops"), self.certificate("vendor")]
        self.certificate("stranger")
        disk = self.disk()
        agent = self.agent([disk], config={"store": {"encrypt_to": recipients}})
        disk.lose_and_fail()
        incident_id = agent.wait_stored()[0]["id"]
        wait_for(lambda: not agent.leftovers(), "an empty spool and staging")

        shown = agent.ctl("incident", "show", incident_id)
        self.assertIn("CN=ops", shown.stdout)
        self.assertIn("CN=vendor", shown.stdout)
        verified = agent.ctl("incident", "verify", incident_id)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        self.assertIn("encrypted", verified.stdout)
        pulled = agent.ctl("incident", "pull", incident_id, "-o", os.path.join(self.folder, "pulled.tar"))
        self.assertEqual(pulled.returncode, 0, pulled.stderr)
        self.assertIn("openssl cms -decrypt", pulled.stdout)

        subprocess.run(["tar", "-xf", "pulled.tar"], cwd=self.folder, check=True)
        node = os.path.join(self.folder, incident_id, agent.node)
        self.assertEqual(sorted(os.listdir(node)), ["capture.tar.zst.cms", "manifest.json"])
        file = os.path.join(node, "capture.tar.zst.cms")
        with open(os.path.join(node, "manifest.json"), encoding="utf-8") as text:
            manifest = json.load(text)
        self.assertEqual(sha256(file), manifest["archive_sha256"])
        self.assertEqual([r["subject"] for r in manifest["encrypted_to"]], ["CN=ops", "CN=vendor"])

        opened = self.decrypt(file, "ops")
        self.assertEqual(sha256(opened), sha256(self.decrypt(file, "vendor")))
        self.assertIsNone(self.decrypt(file, "stranger", check=False))
        listed = subprocess.run(["tar", "--zstd", "-tf", opened], capture_output=True, text=True, check=True)
        self.assertEqual(listed.stdout.split(), [f["name"] for f in manifest["files"]])
        self.assertIn("kernel.log", listed.stdout.split())

    def test_a_bad_certificate_keeps_the_agent_from_starting(self):
        agent = self.agent(start=False, config={"store": {"encrypt_to": [os.path.join(self.folder, "no.pem")]}})
        config = agent.write_config()
        for more in (["--check-config"], []):
            done = subprocess.run([FFDCD, "--config", config, *more], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 1, more)
            self.assertRegex(done.stderr, r"^ffdcd: store\.encrypt_to: [^\n]*no\.pem: No such file[^\n]*\n$")


class RedactionTest(E2eTest):
    RULES = """
[[pattern]]
name = "proc"
regex = '(?m)^== (/proc/\\w+)'
[[pattern]]
name = "disk"
regex = 'loop[0-9]+'
[alias]
secret = "the same on every node"
addresses = true
"""

    def captured(self, number, rules):
        disk = self.disk()
        agent = self.agent([disk], config={"capture": {"redact": rules}})
        disk.lose_and_fail()
        agent.wait_stored()
        folder = agent.stored_folders()[0]
        self.incident_folder = os.path.dirname(folder)
        with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as text:
            manifest = json.load(text)
        target = os.path.join(self.folder, f"capture{number}")
        untar_zst(os.path.join(folder, "capture.tar.zst"), target)
        self.assertEqual(agent.stop(), 0)
        return manifest, target

    def test_text_loses_what_the_rules_name_and_the_manifest_counts_it(self):
        rules = os.path.join(self.folder, "redact.toml")
        with open(rules, "w", encoding="utf-8") as file:
            file.write(self.RULES)
        manifest, folder = self.captured(1, rules)
        self.assertEqual(sorted(manifest["redacted"]), ["alias.addresses", "disk", "proc"])
        # Of what describes it too: the device's name is a path in this test's folder.
        self.assertEqual(manifest["trigger"]["subject"]["name"], "[redacted:disk]")
        with open(os.path.join(self.incident_folder, "incident.json"), encoding="utf-8") as text:
            incident = json.load(text)
        self.assertEqual(incident["subject"]["name"], "[redacted:disk]")
        self.assertEqual(incident["id"], os.path.basename(self.incident_folder))
        files = {file["name"]: file for file in manifest["files"]}
        for name, file in files.items():
            self.assertEqual(sha256(os.path.join(folder, name)), file["sha256"], name)
            self.assertFalse(file.get("not_redacted", False), f"{name} is text")
        with open(os.path.join(folder, "system.txt"), encoding="utf-8") as file:
            system = file.read()
        self.assertIn("== [redacted:proc]", system)
        self.assertNotIn("== /proc/", system)
        self.assertGreaterEqual(int(files["system.txt"]["redactions"]), 5)
        for name in files:
            if not name.endswith(".jsonl"):
                continue
            with open(os.path.join(folder, name), encoding="utf-8") as lines:
                for line in lines:
                    json.loads(line)

    def test_a_bad_rule_keeps_the_agent_from_starting(self):
        rules = os.path.join(self.folder, "redact.toml")
        with open(rules, "w", encoding="utf-8") as file:
            file.write('builtin = ["urls"]\n[[pattern]]\nname = "x"\nregex = "("\n')
        agent = self.agent(start=False, config={"capture": {"redact": rules}})
        done = subprocess.run([FFDCD, "--config", agent.write_config(), "--check-config"], capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^ffdcd: capture\.redact: [^\n]*redact\.toml:2: the regex of 'x' [^\n]*\n$")


if __name__ == "__main__":
    harness.main()
