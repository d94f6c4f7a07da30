"""Kills a run again and again and compares what it ends with with a run that was never stopped.

    python3 tools/kill_test.py --program build/cpu/lowbit --kills 200

The same command (with -r) is started, killed by SIGKILL at a random instant, started again, and so
on until it ends by itself: checkpoints must then be the same bytes and the log must tell of every
epoch once, with the same numbers. That is repeated until there were enough kills. Further words are
options of the run: -- --device cuda --deterministic
"""

import argparse
import pathlib
import random
import signal
import sys
import tempfile
import time

from small_run import command, differences, start, undisturbed, write_set


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
        write_set(folder)
        words = command(options.program, options.run_options)
        whole = folder / "whole"
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
