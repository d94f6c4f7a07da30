"""Trains with several processes on the CPU and compares with one process.

    python3 tools/processes_test.py --program build/cpu/lowbit

In float64, BatchNorm over all processes: 2 and 4 processes end with what one ends with, started by
the program itself or with torchrun's environment; a run that is stopped goes on as if it had not
been; a process that is killed stops the others, one message names it, and the run goes on with another
number of processes. Processes that disagree, do not come, or hang end the run with an error that says so.
Needs PyTorch to read what was saved.
"""

import argparse
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

try:
    import torch
except ImportError:
    print("skipped: there is no PyTorch for this Python")
    sys.exit(77)

from small_run import CASE, command, write_set, write_split

# Of the largest number of a tensor, or of 1.
TOLERANCE = 1e-10
# 72 images: batches of 34, 34 and 4, then with four processes one image for each. Validation: 40
# images by 37, the last batch being smaller than four processes.
OPTIONS = ["--precision", "fp64", "--sync_bn", "-b", "34", "-v", "37"]
LONGEST_STOP = 30


def words_for(program, processes=0, more=()):
    words = command(program, [*OPTIONS, *more])
    return words + (["--gpus", str(processes)] if processes else [])


def run(words, folder, **environment):
    folder.mkdir(exist_ok=True)
    return subprocess.run(words, cwd=folder, env={**os.environ, **environment}, capture_output=True,
                          text=True, check=False)


def finish(words, folder, **environment):
    done = run(words, folder, **environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return folder


def saved(folder):
    path = next((folder / "weights").rglob(f"{CASE}-checkpoint.pth.tar"))
    return torch.load(path, weights_only=True)


def compare(name, expected, found):
    """Of the network and of the momenta."""
    worst = 0.0
    for part in ("state_dict", "optimizer"):
        a, b = list(tensors(expected[part])), list(tensors(found[part]))
        if [key for key, _ in a] != [key for key, _ in b]:
            sys.exit(f"{name}: other entries in {part}")
        for (key, one), (_, other) in zip(a, b):
            if one.numel() == 0:
                continue
            size = max(1.0, one.double().abs().max().item())
            error = (one.double() - other.double()).abs().max().item() / size
            worst = max(worst, error)
            if not error <= TOLERANCE:
                sys.exit(f"{name}: {part} {key} differs by {error:.3g}")
    for key in ("epoch", "best_acc"):
        if abs(expected[key] - found[key]) > TOLERANCE:
            sys.exit(f"{name}: {key} is {found[key]}, not {expected[key]}")
    print(f"{name}: differs by {worst:.2g} at most")


def tensors(value, key=""):
    if isinstance(value, torch.Tensor):
        yield key, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from tensors(item, f"{key}.{name}")
    elif isinstance(value, (list, tuple)):
        for place, item in enumerate(value):
            yield from tensors(item, f"{key}.{place}")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start_by_hand(words, folder, rank, count, port):
    """One of several processes, with the environment of torchrun."""
    environment = {**os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank),
                   "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count),
                   "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True)


def as_torchrun_does(words, folder, count):
    folder.mkdir()
    port = free_port()
    processes = [start_by_hand(words, folder, rank, count, port) for rank in range(count)]
    for rank, process in enumerate(processes):
        expect(f"torchrun's environment, process {rank} of {count}", process, 0)
    return folder


def expect(name, process, status, *texts):
    """The process ends with that status and says that."""
    errors = process.communicate()[1]
    if process.returncode != status:
        sys.exit(f"{name}: status {process.returncode} instead of {status}:\n{errors}")
    for text in texts:
        if not re.search(text, errors):
            sys.exit(f"{name}: nothing of '{text}':\n{errors}")


def children_of(pid):
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(entry.parent.name))
    return sorted(found)


def epochs_done(folder):
    tables = list(folder.glob("log/**/metrics.csv"))
    return len(tables[0].read_text().splitlines()) - 1 if tables else 0


def await_third_epoch(process, folder):
    while process.poll() is None and epochs_done(folder) < 2:
        time.sleep(0.01)


def in_third_epoch(words, folder):
    """A run that has come so far."""
    folder.mkdir()
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               text=True)
    await_third_epoch(process, folder)
    return process


def stop(words, folder):
    """As Ctrl-C does, but of the starting process alone."""
    process = in_third_epoch(words, folder)
    process.send_signal(signal.SIGTERM)
    errors = process.communicate(timeout=LONGEST_STOP)[1]
    if process.returncode != 128 + signal.SIGTERM:
        sys.exit(f"stopped: status {process.returncode} instead of 143:\n{errors}")


def require_same_bits(name, expected, found):
    bits = [[(key, value.tolist()) for key, value in tensors(saved(folder)["state_dict"])]
            for folder in (expected, found)]
    if bits[0] != bits[1]:
        sys.exit(f"{name}: not the bits of {expected.name}")
    print(f"{name}: the bits of {expected.name}")


def kill_one(words, folder, rank):
    """What the run says of a process that is killed."""
    process = in_third_epoch(words, folder)
    victims = children_of(process.pid)
    if process.poll() is not None or len(victims) <= rank:
        sys.exit(f"no process to kill: {process.communicate()[1]}")
    began = time.monotonic()
    os.kill(victims[rank], signal.SIGKILL)
    errors = process.communicate(timeout=LONGEST_STOP)[1]
    if process.returncode != 1:
        sys.exit(f"status {process.returncode} instead of 1:\n{errors}")
    lines = [line for line in errors.splitlines() if line.startswith("lowbit:")]
    if len(lines) != 1 or not re.search(rf"process {rank} of .* was killed by signal 9", lines[0]):
        sys.exit(f"not one message that names process {rank}:\n{errors}")
    left = [pid for pid in victims if pathlib.Path(f"/proc/{pid}").exists()]
    if left:
        sys.exit(f"processes {left} still run")
    print(f"process {rank} killed: all stopped within {time.monotonic() - began:.1f} s")


def disagree(program, folder):
    """Other options, then other data in process 1."""
    other = folder.parent / "other"
    other.mkdir()
    shutil.copytree(folder.parent / "set", other / "set")
    write_split(other / "set", "train", 72, seed=7)
    for more, difference in (
            (["-b", "32"], "differ in --batch_size: '34' in process 0, '32' in process 1"),
            (["--root", str(other / "set")], "differ in checksum of the training set")):
        port = free_port()
        folder.mkdir(exist_ok=True)
        processes = [start_by_hand(words_for(program, more=given), folder, rank, 2, port)
                     for rank, given in enumerate(([], more))]
        for rank, process in enumerate(processes):
            expect(f"{more[0]} of process 1, seen by process {rank}", process, 2, difference)
    print("other options or data in a process: an error in all")


def alone(program, folder):
    """Process 0 of 2."""
    folder.mkdir()
    lone = start_by_hand(words_for(program, more=["--peer_timeout", "1"]), folder, 0, 2, free_port())
    expect("alone", lone, 1, "gave up waiting for 1 of 2 processes at 127.0.0.1:\\d+ \\(rank 1\\)")
    port = free_port()
    lone = start_by_hand(words_for(program), folder, 0, 2, port)
    while lone.poll() is None:
        with socket.socket() as caller:
            if caller.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.01)
    second = start_by_hand(words_for(program), folder, 0, 2, port)
    expect("a port in use", second, 1, f"port {port} of this machine cannot be opened")
    lone.send_signal(signal.SIGTERM)
    expect("alone, stopped", lone, 128 + signal.SIGTERM, "stopped by signal 15")
    print("a process alone gives up, and obeys a signal")


def suspend(words, folder):
    """Process 1, by SIGSTOP: started by the program itself, which tells who it is."""
    process = in_third_epoch([*words, "--peer_timeout", "3"], folder)
    victims = children_of(process.pid)
    os.kill(victims[1], signal.SIGSTOP)
    expect("suspended", process, 1, rf"process 1 of 2 \(PID {victims[1]}\) is suspended",
           rf"gave up waiting for process 1 of 2 \(PID {victims[1]} on .*\), which does not answer")
    if pathlib.Path(f"/proc/{victims[1]}").exists():
        sys.exit("the suspended process is still there")
    print("a suspended process: the other names it")


def suspend_and_stop(words, folder, expected):
    """Nothing is lost: the suspended process goes on until the state is saved."""
    process = in_third_epoch(words, folder)
    os.kill(children_of(process.pid)[1], signal.SIGSTOP)
    process.send_signal(signal.SIGTERM)
    expect("suspended and stopped", process, 128 + signal.SIGTERM)
    finish(words, folder)
    require_same_bits("suspended, stopped and gone on", expected, folder)


def stop_beside_suspended(words, folder):
    """Without a launcher that could wake it."""
    folder.mkdir()
    port = free_port()
    first, second = (start_by_hand(words, folder, rank, 2, port) for rank in range(2))
    await_third_epoch(first, folder)
    second.send_signal(signal.SIGSTOP)
    first.send_signal(signal.SIGTERM)
    expect("stopped beside a suspended process", first, 128 + signal.SIGTERM,
           "stopped by signal 15 while waiting for process 1 of 2")
    second.kill()
    second.wait()
    print("a signal ends the wait for a suspended process")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    program = parser.parse_args().program
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_set(folder)
        one = saved(finish(words_for(program), folder / "one"))
        for count in (2, 4):
            many = finish(words_for(program, count), folder / f"many{count}")
            compare(f"{count} processes", one, saved(many))
        torchrun = as_torchrun_does(words_for(program), folder / "torchrun", 2)
        require_same_bits("torchrun's environment", folder / "many2", torchrun)
        slow = words_for(program, 2, ["--delay", "0.3"])
        stop(slow, folder / "stopped")
        finish(words_for(program, 2), folder / "stopped")
        require_same_bits("stopped and gone on", folder / "many2", folder / "stopped")
        disagree(program, folder / "disagree")
        alone(program, folder / "alone")
        suspend(slow, folder / "suspended")
        suspend_and_stop(slow, folder / "suspended_and_stopped", folder / "many2")
        stop_beside_suspended(words_for(program, more=["--delay", "0.3"]), folder / "beside")
        for rank in (0, 1):
            kill_one(slow, folder / f"killed{rank}", rank)
            finish(words_for(program, 4 if rank else 0), folder / f"killed{rank}")
            compare(f"killed in process {rank}, gone on with {4 if rank else 1}", one,
                    saved(folder / f"killed{rank}"))


if __name__ == "__main__":
    main()
