#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs faults (faults/*/) and quiet suites (quiet/*/) in virtual machines and judges what
the agent made of them: run.py [-k KERNEL] [-t NAME] [-j MACHINES] [--list]."""

import argparse
import contextlib
import fnmatch
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import config
import expect
import images
import judge
import machine
import report

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))


class Test:
    """A folder with run.sh and expect.json."""

    def __init__(self, folder):
        self.folder = folder
        self.group = os.path.basename(os.path.dirname(folder))
        self.name = os.path.basename(folder)
        self.expected = expect.load(folder)
        if not os.path.isfile(os.path.join(folder, "run.sh")):
            raise expect.ExpectError(f"{self.group}/{self.name}: no run.sh")


def discover(pattern):
    """Every test whose name or group/name matches."""
    found = []
    for group in ("faults", "quiet"):
        parent = os.path.join(HERE, group)
        for name in sorted(os.listdir(parent)) if os.path.isdir(parent) else []:
            if any(fnmatch.fnmatchcase(text, pattern) for text in (name, f"{group}/{name}")):
                found.append(Test(os.path.join(parent, name)))
    return found


class Binaries:
    """ffdcd and ffdcctl without their debug information, which only costs the guest time."""

    def __init__(self, source, folder):
        self.paths = []
        for name in ("ffdcd", "ffdcctl"):
            path = os.path.join(source, name)
            if not os.access(path, os.X_OK):
                sys.exit(f"vm: no {name} in '{source}': FFDC_BIN must name the folder of ffdcd and ffdcctl")
            stripped = os.path.join(folder, name)
            if subprocess.run(["strip", "-o", stripped, path], check=False).returncode != 0:
                shutil.copy(path, stripped)
            self.paths.append(stripped)


def make_job(test, binaries, patience):
    """The tar archive that the guest unpacks to /job."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        def text(name, content):
            entry = tarfile.TarInfo(name)
            entry.size = len(content.encode())
            tar.addfile(entry, io.BytesIO(content.encode()))

        for path in binaries.paths:
            tar.add(path, "bin/" + os.path.basename(path))
        tar.add(os.path.join(HERE, "guest"), "guest")
        tar.add(test.folder, "test")
        tar.add(os.path.join(SOURCE, "packaging", "systemd", "ffdcd.service"), "ffdcd.service")
        text("patience", f"{patience}\n")
        text("ffdc.toml", config.text(test.expected.config))
        names = [(event["kind"], event.get("subject_name", "")) for event in test.expected.events]
        text("expected", "".join(f"{kind} {'' if set(name) & set('*?[') else name}\n" for kind, name in names))
    return stream.getvalue()


class Runner:
    """Runs tests, several machines at a time; prints each verdict as it comes."""

    def __init__(self, folder, image_folder, binaries, patience):
        self.patience = patience
        self.folder = folder
        self.images = image_folder
        self.binaries = binaries
        self.printing = threading.Lock()

    def run(self, test, kernel):
        out = os.path.join(self.folder, f"{test.group}-{test.name}-{kernel}")
        shutil.rmtree(out, ignore_errors=True)
        os.makedirs(out)
        started = time.monotonic()
        try:
            job = make_job(test, self.binaries, self.patience)
            done = machine.run_job(self.images, kernel, job, out, test.expected.timeout_s * self.patience)
            with open(os.path.join(out, "job.log"), "w", encoding="utf-8") as file:
                file.write(done.log)
            verdict = judge.judge(test.expected, judge.Results(out), done.code, self.patience)
            console = done.console
        except machine.GuestError as error:
            verdict = judge.Verdict()
            verdict.problems.append(str(error))
            console = error.console
        row = report.Row(test, kernel, verdict, time.monotonic() - started)
        with self.printing:
            print(report.line(row), flush=True)
            if not verdict.ok:
                print(report.failure(row, out, console), flush=True)
        return row


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-k", "--kernel", choices=expect.KERNELS, help="only this kernel")
    parser.add_argument("-t", "--test", default="*", help="only tests whose name matches (* and ? allowed)")
    parser.add_argument("-j", "--machines", type=int, default=2, help="machines at a time (default 2)")
    parser.add_argument("-p", "--patience", type=int, default=1,
                        help="allow so many times the time, on a machine that does other work meanwhile")
    parser.add_argument("-o", "--out", default=os.path.join(SOURCE, "build", "vm"), help="folder for what jobs leave")
    parser.add_argument("--json", default=os.path.join(SOURCE, "build", "vm.json"), help="the result for machines")
    parser.add_argument("--list", action="store_true", help="only name the tests")
    parser.add_argument("--images", action="store_true", help="only build the images")
    return parser.parse_args()


def main():
    arguments = _arguments()
    try:
        tests = discover(arguments.test)
    except expect.ExpectError as error:
        sys.exit(f"vm: {error}")
    if not tests:
        sys.exit(f"vm: no test is named '{arguments.test}'; --list names them")
    if arguments.list:
        for test in tests:
            print(f"{test.group}/{test.name}: {test.expected.what}")
        return
    started = time.monotonic()
    os.makedirs(arguments.out, exist_ok=True)
    kernels = [arguments.kernel] if arguments.kernel else list(expect.KERNELS)
    jobs = [(test, kernel) for test in tests for kernel in kernels if kernel in test.expected.kernels]
    # The longest first, so that no machine is left with one alone at the end.
    jobs.sort(key=lambda job: -job[0].expected.timeout_s)
    try:
        with (contextlib.nullcontext(os.environ["FFDC_VM_IMAGES"]) if os.environ.get("FFDC_VM_IMAGES") else images.images()) as folder, tempfile.TemporaryDirectory(prefix="ffdc-vm.") as scratch:
            if arguments.images:
                return
            runner = Runner(arguments.out, folder, Binaries(os.environ.get("FFDC_BIN", ""), scratch),
                            arguments.patience)
            with ThreadPoolExecutor(max(1, arguments.machines)) as pool:
                rows = list(pool.map(lambda job: runner.run(*job), jobs))
    except images.ImageError as error:
        sys.exit(f"vm: {error}")
    except machine.GuestError as error:
        sys.exit(f"vm: no image: {error}\n{error.console}")
    print(report.table(tests, kernels, rows, time.monotonic() - started))
    report.write_json(arguments.json, tests, kernels, rows)
    if not all(row.verdict.ok for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
