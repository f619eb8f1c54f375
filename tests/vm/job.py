# SPDX-License-Identifier: Apache-2.0
"""What a guest is given to do: a tar archive that it unpacks to /job."""

import io
import json
import os
import platform
import re
import shutil
import subprocess
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))

# The machine's own disks are left out: their delays are the host's.
BASE_CONFIG = {
    "node": {"name": "vm"},
    "devices": {"exclude": ["vda", "vdb"]},
}


class JobError(Exception):
    """A job cannot be made; says why."""


def config_text(overrides):
    """ffdc.toml: a test's keys win over the test bed's."""
    sections = {name: dict(keys) for name, keys in BASE_CONFIG.items()}
    for name, keys in overrides.items():
        sections.setdefault(name, {}).update(keys)
    lines = []
    for name, keys in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


def strip_binaries(source, folder):
    """ffdcd and ffdcctl without their debug information, which only costs the guests time."""
    paths = []
    for name in ("ffdcd", "ffdcctl"):
        path = os.path.join(source, name)
        if not os.access(path, os.X_OK):
            raise JobError(f"no {name} in '{source}': FFDC_BIN must name the folder of ffdcd and ffdcctl")
        stripped = os.path.join(folder, name)
        if subprocess.run(["strip", "-o", stripped, path], check=False).returncode != 0:
            shutil.copy(path, stripped)
        paths.append(stripped)
    return paths


def _compile_bpf(path):
    done = subprocess.run(["clang", "-O2", "-g", "-target", "bpf", f"-I/usr/include/{platform.machine()}-linux-gnu",
                           "-c", path, "-o", "-"], capture_output=True, check=False)
    if done.returncode != 0:
        raise JobError(f"{path}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def make(test, binaries, patience):
    """The job of a test; of none: to start the agent, and to ask for another job then. Without
    binaries: for a guest where the agent runs."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        def add(name, content):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))

        for path in binaries:
            tar.add(path, "bin/" + os.path.basename(path))
        tar.add(os.path.join(SOURCE, "packaging", "systemd", "ffdcd.service"), "ffdcd.service")
        tar.add(os.path.join(HERE, "guest"), "guest")
        add("patience", f"{patience}\n".encode())
        add("ffdc.toml", config_text(test.expected.config if test else {}).encode())
        if test:
            tar.add(test.folder, "test")
            for name in os.listdir(test.folder):
                if name.endswith(".bpf.c"):
                    add(f"test/{name[:-2]}.o", _compile_bpf(os.path.join(test.folder, name)))
            add("expected", _expected_events(test.expected).encode())
    return stream.getvalue()


def _expected_events(expected):
    """Kind and subject's name of each, a line each, for the guest to wait for: as far as they
    are known."""
    lines = []
    for event in expected.events:
        kind, name = (re.split(r"[*?[]", event.get(key, ""))[0] for key in ("kind", "subject_name"))
        lines.append(f"{kind}|{name}\n")
    return "".join(lines)
