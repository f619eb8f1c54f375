# SPDX-License-Identifier: Apache-2.0
"""One virtual machine: its QEMU command line, its snapshot, a job run in it.

A machine boots once, to the point where it waits for a job; every job then goes on from
the snapshot of that moment. Snapshot and restore must describe the same machine, so both
take their arguments from command(), and the images' key covers them (images.py)."""

import json
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time

QEMU = "qemu-system-x86_64"
MEMORY_MIB = 1536
# The job's disk. Its size belongs to the machine: one that fits all jobs.
JOB_DISK_BYTES = 256 << 20
BOOT_TIMEOUT_S = 600  # 40 on a host that does nothing else

KERNEL_ARGUMENTS = (
    "console=ttyS0 loglevel=4 panic=-1 nokaslr mitigations=off tsc=reliable no_timer_check "
    "random.trust_cpu=on audit=0 selinux=0 apparmor=0 rcupdate.rcu_expedited=1 "
    "systemd.show_status=no systemd.log_level=warning systemd.mask=systemd-hwdb-update.service "
    "fsck.mode=skip raid=noautodetect")


class GuestError(Exception):
    """The guest itself failed: it hung, died, or never came up. Holds its console's tail."""

    def __init__(self, what, console=""):
        super().__init__(what)
        self.console = console


def tail(path, lines):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])
    except FileNotFoundError:
        return ""


def command(images, kernel, folder):
    """QEMU's command line, for a machine with its files in `folder`."""
    def port(name, chardev):
        return ["-chardev", f"{chardev},id={name}", "-device", f"virtserialport,chardev={name},name={name}"]

    def drive(name, path):
        return ["-drive", f"file={path},if=none,id={name},format=raw,readonly=on",
                "-device", f"virtio-blk-pci,drive={name}"]

    # One CPU: several under multi-threaded TCG crash guests that are otherwise well.
    return [QEMU, "-M", "q35", "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", str(MEMORY_MIB),
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-kernel", f"{images}/kernel-{kernel}", "-initrd", f"{images}/initramfs-{kernel}",
            "-append", KERNEL_ARGUMENTS,
            "-serial", f"file:{folder}/console", "-qmp", f"unix:{folder}/qmp,server=on,wait=off",
            *drive("root", f"{images}/root.ext4"), *drive("job", f"{folder}/job.disk"),
            "-device", "virtio-serial-pci",
            # QEMU waits for the host's end: the guest must never find the port unconnected.
            *port("control", f"socket,path={folder}/control,server=on,wait=on"),
            *port("log", f"file,path={folder}/log"), *port("out", f"file,path={folder}/out.tar")]


class Machine:
    """A running QEMU with its files in a folder of its own."""

    def __init__(self, images, kernel, folder, job=None, snapshot=None):
        self.folder = folder
        self.console = os.path.join(folder, "console")
        self.log = os.path.join(folder, "log")
        self.out = os.path.join(folder, "out.tar")
        self.qmp = os.path.join(folder, "qmp")
        self.control_path = os.path.join(folder, "control")
        self.control = None
        self.pending = b""
        disk = os.path.join(folder, "job.disk")
        with open(disk, "wb") as file:
            if job:
                file.write(job)
            if file.tell() > JOB_DISK_BYTES:
                raise GuestError(f"the job takes {file.tell()} bytes; its disk has {JOB_DISK_BYTES}")
            file.truncate(JOB_DISK_BYTES)
        arguments = command(images, kernel, folder)
        if snapshot:
            arguments += ["-incoming", f"exec:cat '{snapshot}'"]
        with open(os.path.join(folder, "qemu.log"), "wb") as errors:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
        self._connect()

    def _connect(self):
        until = time.monotonic() + 10
        while True:
            self.control = socket.socket(socket.AF_UNIX)
            try:
                self.control.connect(self.control_path)
                return
            except OSError:
                self.control.close()
                if self.process.poll() is not None or time.monotonic() > until:
                    self.stop()
                    raise GuestError("QEMU did not start", tail(os.path.join(self.folder, "qemu.log"), 5)) from None
                time.sleep(0.02)

    def failed(self, what):
        return GuestError(what, tail(self.console, 40))

    def send_time(self):
        self.control.sendall(f"{time.time():.6f}\n".encode())

    def receive(self, wanted, until):
        """The next line of the guest's, in words; one that does not begin with `wanted` is an error."""
        while True:
            line, newline, rest = self.pending.partition(b"\n")
            if newline:
                self.pending = rest
                words = line.decode(errors="replace").split()
                if not words:
                    continue
                if words[0] != wanted:
                    raise self.failed(f"the guest said '{' '.join(words)}' instead of {wanted}")
                return words[1:]
            left = until - time.monotonic()
            if left <= 0:
                raise self.failed("the guest hung: no answer in time")
            self.control.settimeout(left)
            try:
                data = self.control.recv(4096)
            except socket.timeout:
                continue
            except OSError:
                data = b""
            if not data:
                raise self.failed("the guest died: its machine ended without an exit code")
            self.pending += data

    def save(self, path):
        """Writes the machine's whole state to `path`."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(self.qmp)
            stream = monitor.makefile("rw")
            stream.readline()

            def ask(command, **arguments):
                stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
                stream.flush()
                while True:
                    answer = json.loads(stream.readline())
                    if "error" in answer:
                        raise self.failed(f"{command}: {answer['error'].get('desc')}")
                    if "return" in answer:
                        return answer["return"]

            ask("qmp_capabilities")
            ask("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
            ask("migrate", uri=f"exec:cat > '{path}'")
            until = time.monotonic() + 120
            while (state := ask("query-migrate").get("status")) != "completed":
                if state == "failed" or time.monotonic() > until:
                    raise self.failed(f"the machine's state could not be saved: {state}")
                time.sleep(0.1)

    def stop(self):
        if self.control:
            self.control.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def base_snapshot(images, kernel):
    """Of a machine that booted and waits for a job."""
    return os.path.join(images, f"snapshot-{kernel}")


def take_snapshot(images, kernel, path, job=None, timeout_s=BOOT_TIMEOUT_S):
    """Saves a machine that waits for a job: one that boots, or, with a job, one that did it after
    the boot and asks for another. Returns how many seconds that took."""
    started = time.monotonic()
    folder = tempfile.mkdtemp(prefix="ffdc-vm.")
    machine = None
    try:
        machine = Machine(images, kernel, folder, job, base_snapshot(images, kernel) if job else None)
        if job:
            machine.send_time()
        machine.receive("READY", started + timeout_s)
        time.sleep(1)  # the guest goes idle
        took = time.monotonic() - started
        machine.save(path)
        return took
    except GuestError as error:
        error.console = tail(os.path.join(folder, "log"), 40) + error.console
        raise
    finally:
        if machine:
            machine.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Finished:
    """What a job left behind."""

    def __init__(self, code, log, console, seconds):
        self.code = code
        self.log = log
        self.console = console
        self.seconds = seconds


def run_job(images, kernel, snapshot, job, out, timeout_s):
    """Runs the tar archive `job` in a machine restored from `snapshot`; what it leaves in /out lands in
    the folder `out`."""
    folder = tempfile.mkdtemp(prefix="ffdc-vm.")
    started = time.monotonic()
    machine = None
    try:
        machine = Machine(images, kernel, folder, job, snapshot)
        machine.send_time()
        code = int(machine.receive("EXIT", started + timeout_s)[0])
        machine.stop()
        with tarfile.open(machine.out) as archive:
            archive.extractall(out)
        return Finished(code, tail(machine.log, 10000), tail(machine.console, 40), time.monotonic() - started)
    except GuestError as error:
        # What it printed until then tells how far it came.
        with open(os.path.join(out, "job.log"), "w", encoding="utf-8") as file:
            file.write(tail(os.path.join(folder, "log"), 10000))
        with open(os.path.join(out, "console"), "w", encoding="utf-8") as file:
            file.write(tail(os.path.join(folder, "console"), 10000))
        raise error
    finally:
        if machine:
            machine.stop()
        shutil.rmtree(folder, ignore_errors=True)
