"""A small network that learns a small set, both made here: what the tests that disturb runs run."""

import pathlib
import random
import re
import struct
import subprocess
import sys
import time

CASE = "small"
EPOCHS = 6
# Rates and times are not the same in two runs.
EPOCH_LINE = re.compile(r"(\[epoch \d+\]: .*)")
VARYING = re.compile(r", \d+ images/s")


def write_split(folder, name, count, seed):
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


def write_set(folder):
    """The set of `command`: 72 images to train with, so that the last batch is a smaller one."""
    (folder / "set").mkdir()
    write_split(folder / "set", "train", 72, 1)
    write_split(folder / "set", "t10k", 40, 2)


def command(program, run_options=()):
    """A run that goes on, in a folder beside the set; it saves every step."""
    keyword = "fashion,cbsa,origin,fix,singleconv,dorefa,lsq"
    quantizers = "--fm_enable --fm_bit 2 --wt_enable --wt_bit 2 --wt_adaptive var-mean"
    schedule = f"--lr 0.05 --lr_policy custom_step --lr_custom_step 2,4 --epochs {EPOCHS}"
    words = f"--model resnet20 --width_alpha 0.125 --keyword {keyword} {quantizers} {schedule}"
    # Paths within the folder: checkpoints hold them.
    words += f" --dataset fashion --root ../set -b 16 -v 40 --case {CASE} --device cpu"
    words += " --weights_dir weights --log_dir log --save_every 1 --report_freq 1"
    return [str(pathlib.Path(program).resolve()), "train", "-r", *words.split(), *run_options]


def start(words, folder):
    with open(folder / "out", "a") as output:
        return subprocess.Popen(words, cwd=folder, stdout=output, stderr=subprocess.STDOUT)


def wait_until_training(process, folder):
    while process.poll() is None and not any(folder.glob("weights/*/*-checkpoint.pth.tar")):
        time.sleep(0.005)


def undisturbed(words, folder):
    """Runs to the end; the seconds until training began, and the rest."""
    folder.mkdir()
    began = time.monotonic()
    process = start(words, folder)
    wait_until_training(process, folder)
    middle = time.monotonic()
    if process.wait() != 0:
        sys.exit(f"the run that is not disturbed failed:\n{(folder / 'out').read_text()}")
    return middle - began, time.monotonic() - middle


def differences(expected, found):
    """What two finished runs do not have in common."""
    files, others = saved_files(expected), saved_files(found)
    for name in files.keys() ^ others.keys():
        yield f"file {name} is in only one of the two"
    for name in files.keys() & others.keys():
        if files[name] != others[name]:
            yield f"file {name} differs"
    lines, other_lines = log_lines(expected), log_lines(found)
    if lines != other_lines:
        yield "the logs differ:\n  " + "\n  ".join(lines + ["--"] + other_lines)


def saved_files(folder):
    """The content of each file that the run has saved, by its name."""
    paths = (folder / "weights").rglob("*")
    return {path.name: path.read_bytes() for path in paths if path.is_file()}


def log_lines(folder):
    log = next((folder / "log").rglob("train.log")).read_text()
    return [VARYING.sub("", line) for line in EPOCH_LINE.findall(log)]
