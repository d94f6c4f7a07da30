"""Takes the disk away from a run, and compares what it ends with with a run that was never stopped.

    python3 tools/disk_test.py --program build/cpu/lowbit

The folder of the weights, and that of the log, are on a disk that is full, or that has become
read-only: from the start, and in the midst of training. Each time the run must end with one error
that says so, and leave its last state as it was; once there is room, the same command goes on from
there, to the same bytes. The disks are small ones in memory, in a mount namespace of this process;
status 77, with the reason, where the system does not allow that.
"""

import argparse
import contextlib
import errno
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from small_run import (command, differences, saved_files, start, undisturbed, wait_until_training,
                       write_set)

SKIPPED = 77
INSIDE = "--inside"


def enter_namespace():
    """Starts this script again where it may mount."""
    for unshare in (["unshare", "--map-root-user", "--mount"], ["unshare", "--mount"]):
        try:
            probe = subprocess.run([*unshare, "mount", "-t", "tmpfs", "none", "/mnt"],
                                   capture_output=True, text=True)
        except FileNotFoundError:
            sys.exit("there is no unshare here (package util-linux)")
        if probe.returncode == 0:
            os.execvp(unshare[0], [*unshare, sys.executable, "-B", *sys.argv, INSIDE])
    print(f"skipped: no mount namespace here: {probe.stderr.strip()}")
    sys.exit(SKIPPED)


def mount(*words):
    subprocess.run(["mount", *words], check=True)


@contextlib.contextmanager
def small_disk(folder):
    """A disk of its own in the folder, gone at the end with what was mounted over it."""
    mount("-t", "tmpfs", "-o", "size=4m", "none", folder)
    try:
        yield
    finally:
        while os.path.ismount(folder):
            subprocess.run(["umount", "--lazy", folder], check=True)


class FullDisk:
    message = os.strerror(errno.ENOSPC)

    def __init__(self, folder):
        self.filler = folder / "filler"

    def take(self):
        """All the room there is; what is freed later needs another call."""
        with open(self.filler, "ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def give_back(self):
        self.filler.unlink()


class ReadOnlyDisk:
    message = os.strerror(errno.EROFS)

    def __init__(self, folder):
        self.folder = folder
        self.taken = False

    def take(self):
        """Mounts the folder over itself: a disk on which files are open cannot be made read-only."""
        if not self.taken:
            mount("--bind", self.folder, self.folder)
            mount("-o", "remount,bind,ro", self.folder)
        self.taken = True

    def give_back(self):
        subprocess.run(["umount", self.folder], check=True)
        self.taken = False


def expect_error(process, folder, disk, place, said_before):
    """Waits for the run, which must fail with one error that names a file of `place`."""
    while process.poll() is None:
        disk.take()
        time.sleep(0.001)
    said = (folder / "out").read_text()[said_before:]
    errors = [line for line in said.splitlines() if line.startswith("lowbit: ")]
    others = [line for line in said.splitlines() if "error" in line.lower() and line not in errors]
    if (process.returncode != 1 or len(errors) != 1 or others or f"'{place}/" not in errors[0]
            or not errors[0].endswith(disk.message)):
        sys.exit(f"{place}, {disk.message}: status {process.returncode}:\n{said}")
    left = [name for name in saved_files(folder) if name.endswith(".tmp")]
    if left:
        sys.exit(f"{place}, {disk.message}: left behind: {left}")
    print(errors[0])


def run_on(disk, place, words, folder):
    """One run from its start to its end, on a disk that is taken away three times."""
    out = folder / "out"
    disk.take()
    expect_error(start(words, folder), folder, disk, place, said_before=0)
    disk.give_back()

    said_before = out.stat().st_size
    process = start(words, folder)
    wait_until_training(process, folder)
    # However slow a mount is: the run does not come to its end before.
    process.send_signal(signal.SIGSTOP)
    disk.take()
    process.send_signal(signal.SIGCONT)
    expect_error(process, folder, disk, place, said_before)

    before, said_before = saved_files(folder), out.stat().st_size
    expect_error(start(words, folder), folder, disk, place, said_before)
    if saved_files(folder) != before:
        sys.exit(f"{place}, {disk.message}: the run that could not write changed its states")
    disk.give_back()

    said_before = out.stat().st_size
    status = start(words, folder).wait()
    said = out.read_text()[said_before:]
    if status != 0 or "going on in epoch" not in said:
        sys.exit(f"{place}, after {disk.message}: status {status}:\n{said}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument(INSIDE, action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    options = parse_arguments()
    if not options.inside:
        enter_namespace()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_set(folder)
        words = command(options.program)
        undisturbed(words, folder / "whole")
        for disk_type in (FullDisk, ReadOnlyDisk):
            for place in ("weights", "log"):
                parts = folder / f"{disk_type.__name__}-{place}"
                (parts / place).mkdir(parents=True)
                with small_disk(parts / place):
                    run_on(disk_type(parts / place), place, words, parts)
                    found = list(differences(folder / "whole", parts))
                if found:
                    sys.exit(f"{place}, after {disk_type.message}:\n" + "\n".join(found))
        print("each time one error, and the same checkpoints and log as of a whole run")


if __name__ == "__main__":
    main()
