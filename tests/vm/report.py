# SPDX-License-Identifier: Apache-2.0
"""What the runner shows: a line a test, the whole story of a failure, the table at the end."""

import json
import os


class Row:
    """One test on one kernel."""

    def __init__(self, test, kernel, verdict, seconds, attempt=1):
        self.test = test
        self.kernel = kernel
        self.verdict = verdict
        self.seconds = seconds
        self.attempt = attempt

    @property
    def cell(self):
        if not self.verdict.ok:
            return "FAILED"
        took = self.verdict.detected_ms
        return ("ok" if took is None else f"ok {took:.0f} ms") + (f" (try {self.attempt})" if self.attempt > 1 else "")


def line(row):
    return f"{row.cell:<12} {row.test.group}/{row.test.name} on {row.kernel} ({row.seconds:.1f} s)"


def _tail(folder, name, lines):
    try:
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
            found = file.read().splitlines()[-lines:]
    except FileNotFoundError:
        return []
    return [f"    -- {name}"] + ["    " + text for text in found] if found else []


def failure(row, folder, console):
    """Expected and got, then what the agent, the kernel and the test said."""
    lines = [f"    {row.test.expected.what}"]
    lines += [f"    - {problem}" for problem in row.verdict.problems]
    lines += _tail(folder, "job.log", 20)
    lines += _tail(folder, "client.log", 8)
    lines += _tail(folder, "ffdcd.log", 25)
    lines += _tail(folder, "dmesg", 20)
    if not os.path.exists(os.path.join(folder, "dmesg")):
        lines += ["    -- console"] + ["    " + text for text in console.splitlines()]
    lines.append(f"    everything it left: {folder}")
    return "\n".join(lines)


def table(tests, kernels, rows, seconds):
    """Fault x kernel, then why cells are empty, then the count."""
    cells = {(row.test.folder, row.kernel): row.cell for row in rows}
    width = max(len(f"{test.group}/{test.name}") for test in tests) + 2
    lines = ["", " " * width + "".join(f"{kernel:<20}" for kernel in kernels)]
    left_out = []
    for test in tests:
        name = f"{test.group}/{test.name}"
        shown = [cells.get((test.folder, kernel), "-" if kernel in test.expected.kernels else "left out")
                 for kernel in kernels]
        lines.append(f"{name:<{width}}" + "".join(f"{cell:<20}" for cell in shown).rstrip())
        if "left out" in shown:
            missing = [kernel for kernel in kernels if kernel not in test.expected.kernels]
            left_out.append(f"  {name} on {', '.join(missing)}: {test.expected.left_out}")
    if left_out:
        lines += ["", "Left out:"] + left_out
    failed = [row for row in rows if not row.verdict.ok]
    for row in failed:
        lines += ["", f"FAILED {row.test.group}/{row.test.name} on {row.kernel}:"]
        lines += [f"  - {problem}" for problem in row.verdict.problems]
    lines += ["", f"vm: {len(rows) - len(failed)} passed, {len(failed)} failed in {seconds:.0f} s"]
    return "\n".join(lines)


def write_json(path, tests, kernels, rows):
    """The same for programs."""
    done = [{
        "test": f"{row.test.group}/{row.test.name}",
        "kernel": row.kernel,
        "ok": row.verdict.ok,
        "attempt": row.attempt,
        "detected_ms": row.verdict.detected_ms,
        "seconds": round(row.seconds, 1),
        "problems": row.verdict.problems,
    } for row in rows]
    left_out = [{"test": f"{test.group}/{test.name}", "kernel": kernel, "reason": test.expected.left_out}
                for test in tests for kernel in kernels if kernel not in test.expected.kernels]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"results": done, "left_out": left_out}, file, indent=2)
        file.write("\n")
