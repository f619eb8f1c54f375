# SPDX-License-Identifier: Apache-2.0
"""What others must not read: a real failure, of which only those who may see the inside."""

import json
import os
import subprocess

import harness
from harness import E2eTest, FFDCD, sha256, wait_for


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


if __name__ == "__main__":
    harness.main()
