# SPDX-License-Identifier: Apache-2.0
"""Block devices that really fail, and what else of the kernel the tests need."""

import errno
import fcntl
import json
import mmap
import os
import shutil
import struct
import subprocess
import tempfile
import threading
import time

BLOCK = 4096
SECTOR = 512
FIRST_LOST_BLOCK = 256
KEEP = FIRST_LOST_BLOCK * BLOCK  # disks lose everything behind their first MiB

_LOOP_CLR_FD = 0x4C01
_LOOP_CONFIGURE = 0x4C0A
_LOOP_CTL_ADD = 0x4C80
_LOOP_CTL_REMOVE = 0x4C81
_LOOP_CTL_GET_FREE = 0x4C82


_LO_FLAGS_DIRECT_IO = 16
# The kernel makes so many loop devices at its start (max_loop).
_ALWAYS_THERE = 8


def run(*args, check=True):
    """A tool of the system; its output goes into the error's text."""
    done = subprocess.run(args, capture_output=True, text=True, timeout=60)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(args)}: exit {done.returncode}: {done.stderr.strip()}")
    return done


def settle_udev():
    """udev's own probing reads of a new device must be over before the test counts."""
    if os.path.exists("/run/udev/control") and shutil.which("udevadm"):
        run("udevadm", "settle", "--timeout=20", check=False)


class LoopDisk:
    """A loop device over a file of its own. lose() cuts the file: what lies behind
    the cut fails with a real I/O error of the block layer."""

    def __init__(self, folder, size=16 << 20, backing=None, settle=True):
        self.backing = backing or tempfile.mkstemp(prefix="disk.", suffix=".img", dir=folder)[1]
        if backing is None:
            os.truncate(self.backing, size)
        self.number = self._attach()
        self.name = f"loop{self.number}"
        self.path = f"/dev/{self.name}"
        self.attached = True
        if settle:
            settle_udev()

    def _attach(self):
        backing = os.open(self.backing, os.O_RDWR | os.O_CLOEXEC)
        control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
        # struct loop_config (linux/loop.h): fd, block_size, loop_info64 with lo_flags and
        # lo_file_name, reserved. Direct I/O: before Linux 6.15 a buffered loop device reads
        # zeroes where its file was cut.
        name = self.backing.encode()[:63]
        config = struct.pack("=II52xI64s112x64x", backing, 0, _LO_FLAGS_DIRECT_IO, name)
        try:
            for _ in range(200):
                number = fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
                try:
                    device = self._open_node(number)
                    try:
                        fcntl.ioctl(device, _LOOP_CONFIGURE, config)
                    finally:
                        os.close(device)
                    return number
                except OSError as error:  # somebody else was faster
                    if error.errno not in (errno.EBUSY, errno.ENOENT, errno.ENXIO):
                        raise
            raise RuntimeError("every free loop device was taken by others")
        finally:
            os.close(control)
            os.close(backing)

    @staticmethod
    def _open_node(number):
        for _ in range(100):
            try:
                return os.open(f"/dev/loop{number}", os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:  # devtmpfs may be a moment behind
                time.sleep(0.01)
        raise FileNotFoundError(errno.ENOENT, f"/dev/loop{number}")

    def lose(self):
        """The disk loses everything behind its first KEEP bytes."""
        os.truncate(self.backing, KEEP)

    def detach(self):
        if not self.attached:
            return
        self.attached = False
        device = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.ioctl(device, _LOOP_CLR_FD)
        finally:
            os.close(device)

    def remove(self):
        """Detaches, and takes the device away."""
        self.detach()
        control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
        try:
            for _ in range(100):
                try:
                    fcntl.ioctl(control, _LOOP_CTL_REMOVE, self.number)
                    return
                except OSError as error:  # its last user is still on the way out
                    if error.errno != errno.EBUSY:
                        return
                    time.sleep(0.02)
        finally:
            os.close(control)

    def restore(self):
        """Leaves the machine the loop devices it began with."""
        self.detach()
        if self.number >= _ALWAYS_THERE:
            return self.remove()
        control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.ioctl(control, _LOOP_CTL_ADD, self.number)
        except FileExistsError:
            pass
        finally:
            os.close(control)
        return None

    def read(self, count=1, first=0, stride=1):
        """Reads `count` blocks past the page cache; returns how many failed with EIO."""
        failed = 0
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
        try:
            with mmap.mmap(-1, BLOCK) as buffer:
                for i in range(count):
                    failed += self._one(os.preadv, fd, buffer, (first + i * stride) * BLOCK, errno.EIO)
        finally:
            os.close(fd)
        return failed

    def fail(self):
        """Reads of lost blocks, of which one would do: the kernel may not show every single
        one to the agent (see Shown)."""
        if self.read(3, first=1000, stride=2) != 3:
            raise RuntimeError(f"{self.path}: reads of lost blocks succeeded")

    def lose_and_fail(self):
        self.lose()
        self.fail()

    def write(self, count=1, first=0, error=errno.ENOSPC):
        """Writes `count` blocks past the page cache; returns how many failed with `error`."""
        failed = 0
        fd = os.open(self.path, os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
        try:
            with mmap.mmap(-1, BLOCK) as buffer:
                buffer.write(b"\xa5" * BLOCK)
                for i in range(count):
                    failed += self._one(os.pwritev, fd, buffer, (first + i) * BLOCK, error)
        finally:
            os.close(fd)
        return failed

    @staticmethod
    def _one(call, fd, buffer, offset, expected):
        try:
            done = call(fd, [buffer], offset)
        except OSError as error:
            if error.errno != expected:
                raise
            return 1
        if done != BLOCK:
            raise RuntimeError(f"short I/O of {done} bytes at {offset}")
        return 0

    def fail_reads(self, count, threads=1):
        """`count` reads that all fail, none beside another, so that none can be merged."""
        share, rest = divmod(count, threads)
        failed = [0] * threads
        errors = []

        def work(index):
            try:
                failed[index] = self.read(share + (1 if index < rest else 0),
                                          first=FIRST_LOST_BLOCK + 2 * index, stride=0)
            except Exception as error:  # pylint: disable=broad-except
                errors.append(error)

        workers = [threading.Thread(target=work, args=(i,)) for i in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if errors:
            raise errors[0]
        if sum(failed) != count:
            raise RuntimeError(f"{count - sum(failed)} of {count} reads of {self.path} did not fail")


class FaultFs:
    """A faultfs: what it shows, or how large its file is, and what it does on command."""

    def __init__(self, binary, mount, shows):
        self.path = mount
        os.mkdir(mount)
        self.server = subprocess.Popen([binary, mount, str(shows)], text=True, stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE)
        self._answer("ready")

    def _answer(self, expected):
        answer = self.server.stdout.readline().rstrip("\n")
        if answer != expected:
            raise RuntimeError(f"faultfs says '{answer}' instead of '{expected}'")

    def set(self, command):
        self.server.stdin.write(command + "\n")
        self.server.stdin.flush()
        self._answer("done")

    def close(self):
        if self.server.poll() is None:
            self.set("ok")
        run("umount", "-l", self.path, check=False)
        try:
            self.server.communicate(timeout=20)
        except subprocess.TimeoutExpired:  # somebody is still on the way out of the mount
            self.server.kill()
            self.server.communicate()


class Mount:
    """A mount of its own; gone at the end whatever happened to it."""

    def __init__(self, folder, *args):
        self.path = folder
        self.frozen = False
        os.makedirs(folder, exist_ok=True)
        run("mount", *args, folder)

    def freeze(self):
        """From now on whoever writes there hangs in the kernel (D state)."""
        run("fsfreeze", "-f", self.path)
        self.frozen = True

    def thaw(self):
        if self.frozen:
            run("fsfreeze", "-u", self.path)
            self.frozen = False

    def fill(self):
        """Not a byte is left."""
        with open(os.path.join(self.path, "filler"), "wb", buffering=0) as filler:
            chunk = b"\0" * (1 << 20)
            while chunk:
                try:
                    filler.write(chunk)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    chunk = chunk[: len(chunk) // 2]

    def free(self):
        os.unlink(os.path.join(self.path, "filler"))

    def close(self):
        self.thaw()
        for _ in range(50):
            if run("umount", self.path, check=False).returncode == 0:
                return
            time.sleep(0.1)
        run("umount", "-l", self.path, check=False)


class Cgroup:
    """A cgroup that owns the I/O of whoever is in it, named like a systemd unit."""

    def __init__(self, name):
        # Where the I/O controller is a v1 hierarchy, that one owns the I/O.
        root = "/sys/fs/cgroup/blkio"
        if not os.path.exists(os.path.join(root, "cgroup.procs")):
            root = "/sys/fs/cgroup"
        self.root = root
        self.name = name
        self.path = os.path.join(root, name)
        os.mkdir(self.path)

    def __enter__(self):
        self.home = self._home()
        self._move(self.path)
        return self

    def __exit__(self, *_):
        self._move(self.home)

    def _home(self):
        with open("/proc/self/cgroup", encoding="ascii") as lines:
            for line in lines:
                _, controllers, path = line.rstrip("\n").split(":", 2)
                v2_root = self.root == "/sys/fs/cgroup" and controllers == ""
                if v2_root or "blkio" in controllers.split(","):
                    return self.root + path
        return self.root

    @staticmethod
    def _move(path):
        with open(os.path.join(path, "cgroup.procs"), "w", encoding="ascii") as procs:
            procs.write(str(os.getpid()))

    def close(self):
        for _ in range(50):
            try:
                os.rmdir(self.path)
                return
            except OSError:
                time.sleep(0.1)


class Shown:
    """Counts the completions of a disk that the kernel shows to BPF programs: some sandboxes
    run no program while a process of their own is current. What is exact is exact by this."""

    def __init__(self, disk):
        self.process = subprocess.Popen(
            [os.path.join(os.environ["FFDC_BIN"], "shown"), "7", str(disk.number)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.process.stdout.readline() != "counting\n":
            raise RuntimeError("the counting program cannot be attached")

    def end(self):
        """Returns the failures shown, and how many more of them this program alone missed."""
        out, _ = self.process.communicate(timeout=30)
        counts = json.loads(out)
        return counts["failed"], counts["missed"]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
