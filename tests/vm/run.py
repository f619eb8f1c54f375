#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs faults (faults/*/) and quiet suites (quiet/*/) in virtual machines, and judges what
the agent made of them."""

import argparse
import fnmatch
import os
import shutil
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import expect
import images
import job
import judge
import machine
import report


class Test:
    """A folder with run.sh and expect.json."""

    def __init__(self, folder):
        self.folder = folder
        self.group = os.path.basename(os.path.dirname(folder))
        self.name = os.path.basename(folder)
        self.expected = expect.load(folder)
        if not os.path.isfile(os.path.join(folder, "run.sh")):
            raise expect.ExpectError(f"{self.group}/{self.name}: no run.sh")


def discover(patterns):
    """Every test whose name or group/name matches one of them."""
    found = []
    for group in ("faults", "quiet"):
        parent = os.path.join(job.HERE, group)
        for name in sorted(os.listdir(parent)):
            if any(fnmatch.fnmatchcase(text, pattern)
                   for text in (name, f"{group}/{name}") for pattern in patterns):
                found.append(Test(os.path.join(parent, name)))
    return found


class Runner:
    """Runs tests, several machines at a time; prints each verdict as it comes."""

    def __init__(self, out, image_folder, scratch, patience, tries):
        self.out = out
        self.images = image_folder
        self.scratch = scratch
        self.patience = patience
        self.tries = tries
        self.binaries = job.strip_binaries(os.environ.get("FFDC_BIN", ""), scratch)
        self.printing = threading.Lock()

    def _prepared(self, kernel):
        return os.path.join(self.scratch, f"snapshot-{kernel}")

    def prepare(self, kernel):
        """Starts the agent once for all tests that need no configuration of their own: a guest
        loads and verifies BPF programs slowly."""
        taken = machine.take_snapshot(self.images, kernel, self._prepared(kernel),
                                      job.make(None, self.binaries, self.patience), 120 * self.patience)
        print(f"vm: the agent is up on {kernel} after {taken:.0f} s", flush=True)

    def _try(self, test, kernel, out):
        """Verdict, and what the console showed."""
        shutil.rmtree(out, ignore_errors=True)
        os.makedirs(out)
        own = bool(test.expected.config)
        try:
            given = job.make(test, self.binaries if own else [], self.patience)
            snapshot = machine.base_snapshot(self.images, kernel) if own else self._prepared(kernel)
            done = machine.run_job(self.images, kernel, snapshot, given, out, test.expected.timeout_s * self.patience)
            with open(os.path.join(out, "job.log"), "w", encoding="utf-8") as file:
                file.write(done.log)
            return judge.judge(test.expected, judge.Results(out), done.code, self.patience), done.console
        except (machine.GuestError, job.JobError, OSError) as error:
            verdict = judge.Verdict()
            verdict.problems.append(str(error))
            return verdict, getattr(error, "console", "")

    def run(self, test, kernel, attempt=1):
        """One test on one kernel: a row of the table."""
        out = os.path.join(self.out, f"{test.group}-{test.name}-{kernel}")
        started = time.monotonic()
        verdict, console = self._try(test, kernel, out)
        row = report.Row(test, kernel, verdict, time.monotonic() - started, attempt)
        with self.printing:
            print(report.line(row), flush=True)
            if not verdict.ok:
                print(report.failure(row, out, console), flush=True)
        return row

    def _again(self, row):
        """A failed test's further tries, with the host to itself."""
        for attempt in range(2, self.tries + 1):
            if row.verdict.ok:
                break
            row = self.run(row.test, row.kernel, attempt)
        return row

    def run_all(self, tests, kernels, machines, once):
        """Every test on each of the kernels it is for; once: on one of them, in turn."""
        jobs = []
        for i, test in enumerate(tests):
            fit = [kernel for kernel in kernels if kernel in test.expected.kernels]
            jobs += [(test, kernel) for kernel in (fit[i % len(fit):][:1] if once and fit else fit)]
        # The longest first, so that no machine is left with one alone at the end.
        jobs.sort(key=lambda pair: -pair[0].expected.timeout_s)
        with ThreadPoolExecutor(machines) as pool:
            list(pool.map(self.prepare, sorted({kernel for test, kernel in jobs if not test.expected.config})))
            rows = list(pool.map(lambda pair: self.run(*pair), jobs))
        return [self._again(row) for row in rows]


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    build = os.path.join(job.SOURCE, "build")
    parser.add_argument("-k", "--kernel", choices=expect.KERNELS, help="only this kernel")
    parser.add_argument("-t", "--test", action="append",
                        help="only tests whose name matches (* and ? allowed); may be repeated")
    parser.add_argument("-x", "--leave-out", action="append", default=[],
                        help="no tests whose name matches; may be repeated")
    parser.add_argument("-j", "--machines", type=int, default=2, help="machines at a time (default 2)")
    parser.add_argument("-p", "--patience", type=int, default=2,
                        help="allow so many times the time that expectations name (default 2: emulated guests are "
                        "slow at times); more on a host that does other work")
    parser.add_argument("--once", action="store_true",
                        help="each test on one of the kernels only, in turn: half the time")
    parser.add_argument("--tries", type=int, default=1,
                        help="a test that fails may pass at another try, which the table tells (default 1)")
    parser.add_argument("-o", "--out", default=os.path.join(build, "vm"), help="folder for what tests leave")
    parser.add_argument("--json", default=os.path.join(build, "vm.json"), help="the result for programs")
    parser.add_argument("--list", action="store_true", help="only name the tests")
    return parser.parse_args()


def main():
    """The exit code is 0 if every test is as it should be."""
    arguments = _arguments()
    try:
        tests = discover(arguments.test or ["*"])
        left_out = {test.folder for test in discover(arguments.leave_out)}
        tests = [test for test in tests if test.folder not in left_out]
        if left_out:
            print(f"vm: {len(left_out)} tests left out as asked: {', '.join(arguments.leave_out)}")
        if not tests:
            sys.exit(f"vm: no test is named '{' '.join(arguments.test)}'; --list names them")
        if arguments.list:
            for test in tests:
                print(f"{test.group}/{test.name}: {test.expected.what}")
            return
        started = time.monotonic()
        kernels = [arguments.kernel] if arguments.kernel else list(expect.KERNELS)
        with images.images() as folder, tempfile.TemporaryDirectory(prefix="ffdc-vm.") as scratch:
            runner = Runner(arguments.out, folder, scratch, arguments.patience, max(1, arguments.tries))
            rows = runner.run_all(tests, kernels, max(1, arguments.machines), arguments.once)
    except (expect.ExpectError, images.ImageError, job.JobError) as error:
        sys.exit(f"vm: {error}")
    except machine.GuestError as error:
        sys.exit(f"vm: {error}\n{error.console}")
    print(report.table(tests, kernels, rows, time.monotonic() - started))
    report.write_json(arguments.json, tests, kernels, rows)
    if not all(row.verdict.ok for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
