"""Kills a run again and again and compares what it ends with with a run that was never stopped.

    python3 tools/kill_test.py --program build/cpu/lowbit --kills 200

A small network learns a small set, both made here. The same command (with -r) is started, killed by
SIGKILL at a random instant, started again, and so on until it ends by itself: checkpoints must then
be the same bytes and the log must tell of every epoch once, with the same numbers. That is repeated
until there were enough kills. Further words are options of the run: -- --device cuda --deterministic
"""

import argparse
import pathlib
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time

CASE = "killed"
EPOCHS = 6
# Rates and times are not the same in two runs.
EPOCH_LINE = re.compile(r"(\[epoch \d+\]: .*)")
VARYING = re.compile(r", \d+ images/s")


def write_set(folder, name, count, seed):
    """Fashion-MNIST's two files: a bright band in one of ten places, on noise."""
    noise = random.Random(seed)
    pixels, labels = bytearray(), bytearray()
    for image in range(count):
        label = image % 10
        labels.append(label)
        for row in range(28):
            base = 200 if 2 + 2 * label <= row < 5 + 2 * label else 0
            pixels.extend(base + noise.randrange(40) for _ in range(28))
    images = folder / f"{name}-images-idx3-ubyte"
    images.write_bytes(struct.pack(">4I", 0x803, count, 28, 28) + pixels)
    (folder / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, count) + labels)


def command(options):
    keyword = "fashion,cbsa,origin,fix,singleconv,dorefa,lsq"
    quantizers = "--fm_enable --fm_bit 2 --wt_enable --wt_bit 2 --wt_adaptive var-mean"
    schedule = f"--lr 0.05 --lr_policy custom_step --lr_custom_step 2,4 --epochs {EPOCHS}"
    words = f"--model resnet20 --width_alpha 0.125 --keyword {keyword} {quantizers} {schedule}"
    # 72 images: the last batch is a smaller one. Paths within the folder: checkpoints hold them.
    words += f" --dataset fashion --root ../set -b 16 -v 40 --case {CASE} --device cpu"
    words += " --weights_dir weights --log_dir log --save_every 1 --report_freq 1"
    program = str(pathlib.Path(options.program).resolve())
    return [program, "train", "-r", *words.split(), *options.run_options]


def start(words, folder):
    with open(folder / "out", "a") as output:
        return subprocess.Popen(words, cwd=folder, stdout=output, stderr=subprocess.STDOUT)


def undisturbed(words, folder):
    """Runs to the end; the seconds until training began, and the rest."""
    began = time.monotonic()
    process = start(words, folder)
    while process.poll() is None and not is_training(folder):
        time.sleep(0.005)
    middle = time.monotonic()
    if process.wait() != 0:
        sys.exit(f"the run that is not disturbed failed:\n{(folder / 'out').read_text()}")
    return middle - began, time.monotonic() - middle


def is_training(folder):
    return any(folder.glob("weights/*/*-checkpoint.pth.tar"))


def killed_series(words, folder, durations, chance, kills_left):
    """One run from its start to its end, killed in between; the number of kills."""
    startup, training = durations
    kills = 0
    while True:
        # Mostly in training and saving, at times while starting or reading the checkpoint.
        wait = startup * chance.uniform(0, 1)
        if chance.random() < 0.8:
            wait = startup + training * chance.uniform(0, 0.5)
        process = start(words, folder)
        if kills < kills_left:
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
        status = process.wait()
        if status == -signal.SIGKILL:
            kills += 1
        elif status == 0:
            return kills
        else:
            sys.exit(f"status {status}:\n{(folder / 'out').read_text()[-3000:]}")


def differences(expected, found):
    """What two finished runs do not have in common."""
    files = {path.name: path for path in (expected / "weights").rglob("*") if path.is_file()}
    others = {path.name: path for path in (found / "weights").rglob("*") if path.is_file()}
    for name in files.keys() ^ others.keys():
        yield f"file {name} is in only one of the two"
    for name in files.keys() & others.keys():
        if files[name].read_bytes() != others[name].read_bytes():
            yield f"file {name} differs"
    lines, other_lines = log_lines(expected), log_lines(found)
    if lines != other_lines:
        yield "the logs differ:\n  " + "\n  ".join(lines + ["--"] + other_lines)


def log_lines(folder):
    log = next((folder / "log").rglob("train.log")).read_text()
    return [VARYING.sub("", line) for line in EPOCH_LINE.findall(log)]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("run_options", nargs="*")
    return parser.parse_args()


def main():
    options = parse_arguments()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "set").mkdir()
        for split, count, seed in [("train", 72, 1), ("t10k", 40, 2)]:
            write_set(folder / "set", split, count, seed)
        words = command(options)
        whole = folder / "whole"
        whole.mkdir()
        durations = undisturbed(words, whole)
        kills = runs = 0
        while kills < options.kills:
            parts = folder / f"parts{runs}"
            parts.mkdir()
            kills += killed_series(words, parts, durations, chance, options.kills - kills)
            runs += 1
            found = list(differences(whole, parts))
            if found:
                sys.exit(f"after {kills} kills (seed {options.seed}):\n" + "\n".join(found))
        print(f"{kills} kills in {runs} runs: the same checkpoints and log as of a whole run")


if __name__ == "__main__":
    main()
