#!/usr/bin/env python3
"""The Python package as a user installs it, from the tree into a folder of its own.

    package_test.py ROOT BUILD MADE_MODEL

BUILD keeps what is compiled for the package. MADE_MODEL writes a packed network and what the C
interface says of it (made_model.cpp).
"""

import concurrent.futures
import copy
import multiprocessing
import os
import pathlib
import pickle
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT, BUILD, MADE_MODEL = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
FOLDER = pathlib.Path(tempfile.mkdtemp())
WHEELS = BUILD / "wheels"  # of others
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
os.environ["PIP_ROOT_USER_ACTION"] = "ignore"


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def bring_wheels():
    """What the package and its build are made with; a test says nothing where they cannot be had."""
    if subprocess.run(PIP + ["--version"], capture_output=True).returncode != 0:
        skip(f"{sys.executable} has no pip")
    needed = ["scikit-build-core>=0.10", "numpy>=1.22", "mypy"]
    ready = WHEELS / "ready"
    if ready.exists():
        return
    download = PIP + ["download", "--quiet", "--only-binary=:all:", "--dest", str(WHEELS)]
    if subprocess.run(download + needed).returncode != 0:
        skip("pip cannot bring what the package is built with")
    ready.touch()


def install():
    """`pip install .`, into FOLDER/site."""
    subprocess.run(PIP + ["install", "--quiet", "--target", str(FOLDER / "site"),
                          "--find-links", str(WHEELS),
                          f"--config-settings=build-dir={BUILD / 'package'}", str(ROOT)],
                   check=True)
    sys.path.insert(0, str(FOLDER / "site"))


def in_fork(send, model, images):
    send.send(model.run(images).tobytes())
    model.close()
    with lowbit.Model(FOLDER / "model.lowbit", threads=2) as again:
        send.send(again.run(images).tobytes())


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.path = FOLDER / "model.lowbit"
        cls.height, cls.width, cls.channels, cls.classes = map(
            int, (FOLDER / "about").read_text().split())
        cls.images = np.fromfile(FOLDER / "images", np.uint8).reshape(
            -1, cls.height, cls.width, cls.channels)
        cls.logits = np.fromfile(FOLDER / "logits", np.float32).reshape(-1, cls.classes)

    def assert_same(self, logits, expected=None):
        expected = self.logits if expected is None else expected
        self.assertEqual(logits.dtype, np.float32)
        self.assertEqual(logits.shape, expected.shape)
        self.assertEqual(logits.tobytes(), expected.tobytes())

    def test_describes_a_model(self):
        with lowbit.Model(str(self.path), kernels="portable") as model:
            said = model.description
        self.assertEqual((said.height, said.width, said.channels, said.classes),
                         (self.height, self.width, self.channels, self.classes))
        self.assertEqual(said.resize, 40)
        self.assertEqual(said.class_names, tuple(f"class {i}" for i in range(self.classes)))
        self.assertEqual((said.network, said.checked, said.kernels),
                         ("made up", "3 images", "portable"))

    def test_gives_the_logits_of_the_c_interface_bit_for_bit(self):
        for kernels in ("auto", "portable", "reference"):
            for threads in (0, 1, 3):
                with lowbit.Model(self.path, threads=threads, kernels=kernels) as model:
                    self.assert_same(model.run(self.images))
                    self.assert_same(model.run(self.images[1:2]), self.logits[1:2])
                    self.assert_same(model.run(self.images[:0]), self.logits[:0])

    def test_takes_images_that_do_not_lie_one_behind_the_other(self):
        apart = np.repeat(self.images, 2, axis=2)[:, :, ::2]
        self.assertFalse(apart.flags.c_contiguous)
        self.assert_same(lowbit.Model(self.path).run(apart))

    def test_opens_the_content_of_a_file(self):
        self.assert_same(lowbit.Model(self.path.read_bytes()).run(self.images))

    def test_one_model_is_run_by_several_threads_at_once(self):
        with lowbit.Model(self.path, threads=2) as model, \
                concurrent.futures.ThreadPoolExecutor(4) as pool:
            for logits in pool.map(lambda _: model.run(self.images), range(40)):
                self.assert_same(logits)

    def test_a_call_that_runs_ends_well_when_the_model_is_closed(self):
        model = lowbit.Model(self.path)
        session = model._take_session()
        model.close()
        model._give_back(session)
        self.assertEqual(model._idle, [])
        logits = np.empty_like(self.logits)
        session.run(self.images.ctypes.data, len(self.images), logits.ctypes.data)
        self.assert_same(logits)

    def test_a_closed_model_is_an_error(self):
        with lowbit.Model(self.path) as model:
            pass
        model.close()
        self.assertIn("closed", repr(model))
        with self.assertRaisesRegex(ValueError, "the model is closed"):
            model.run(self.images)

    def test_other_arrays_are_errors_that_name_what_is_taken(self):
        model = lowbit.Model(self.path)
        with self.assertRaisesRegex(TypeError, "uint8.*float32"):
            model.run(self.images.astype(np.float32))
        with self.assertRaisesRegex(TypeError, "numpy array, not list"):
            model.run(self.images.tolist())
        shape = f"N, {self.height}, {self.width}, {self.channels}"
        for images in (self.images[0], self.images[:, 1:], np.repeat(self.images, 2, axis=3)):
            with self.assertRaisesRegex(ValueError, shape):
                model.run(images)

    def test_what_the_library_refuses_is_an_error_in_its_words(self):
        with self.assertRaisesRegex(lowbit.Error, "nothing.lowbit"):
            lowbit.Model(FOLDER / "nothing.lowbit")
        damaged = bytearray(self.path.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        with self.assertRaisesRegex(lowbit.Error, "damaged|checksum"):
            lowbit.Model(bytes(damaged))
        with self.assertRaisesRegex(lowbit.Error, "."):
            lowbit.Model(b"")
        with self.assertRaisesRegex(ValueError, "avx3"):
            lowbit.Model(self.path, kernels="avx3")
        for threads in (-1, 1025, 2**32 + 1):
            with self.assertRaisesRegex(ValueError, "threads are 0"):
                lowbit.Model(self.path, threads=threads)
        with self.assertRaisesRegex(ValueError, "byte of value 0"):
            lowbit.Model(f"{self.path}\0x")

    def test_masked_pixels_are_an_error(self):
        model = lowbit.Model(self.path)
        masked = np.ma.masked_greater(self.images, 100)
        with self.assertRaisesRegex(ValueError, "masked"):
            model.run(masked)
        self.assert_same(model.run(np.ma.masked_array(self.images)))

    def test_threads_are_a_whole_number(self):
        for threads in (1.5, 2.0, "2", None):
            with self.assertRaisesRegex(TypeError, "threads are a whole number, not"):
                lowbit.Model(self.path, threads=threads)
        self.assert_same(lowbit.Model(self.path, threads=np.int64(2)).run(self.images))

    def test_copies_are_closed_by_themselves(self):
        for copied in (copy.copy, copy.deepcopy):
            model = lowbit.Model(self.path, threads=2)
            twin, third = copied(model), copied([model, model])[0]
            self.assertEqual(twin.description, model.description)
            model.close()
            self.assert_same(twin.run(self.images))
            self.assert_same(third.run(self.images) if copied is copy.deepcopy else
                             twin.run(self.images))
            with self.assertRaisesRegex(ValueError, "the model is closed"):
                copied(model)

    def test_pickled_it_is_opened_anew(self):
        os.chdir(FOLDER)
        for source in (self.path, "model.lowbit", self.path.read_bytes()):
            model = lowbit.Model(source, threads=2, kernels="portable")
            os.chdir("/")
            twin = pickle.loads(pickle.dumps(model))
            os.chdir(FOLDER)
            self.assertEqual(twin.description, model.description)
            self.assert_same(twin.run(self.images))
            model.close()
            with self.assertRaisesRegex(ValueError, "the model is closed"):
                pickle.dumps(model)

    def test_a_forked_process_runs_it(self):
        model = lowbit.Model(self.path, threads=2)
        receive, send = multiprocessing.Pipe(duplex=False)
        child = multiprocessing.get_context("fork").Process(
            target=in_fork, args=(send, model, self.images))
        child.start()
        for _ in range(2):
            self.assertTrue(receive.poll(60))
            self.assertEqual(receive.recv(), self.logits.tobytes())
        child.join(60)
        self.assertEqual(child.exitcode, 0)
        self.assert_same(model.run(self.images))

    def test_its_types_hold(self):
        tools = FOLDER / "tools"
        subprocess.run(PIP + ["install", "--quiet", "--find-links", str(WHEELS),
                              "--target", str(tools), "mypy"], check=True)
        user = FOLDER / "user.py"
        user.write_text("import numpy as np\nimport numpy.typing as npt\nimport lowbit\n"
                        "def first(path: str) -> npt.NDArray[np.float32]:\n"
                        "    with lowbit.Model(path, threads=1) as model:\n"
                        "        side = model.description.height\n"
                        "        return model.run(np.zeros((1, side, side, 3), np.uint8))\n")
        where = dict(os.environ, PYTHONPATH=f"{tools}{os.pathsep}{FOLDER / 'site'}")
        # The package itself, then one who uses it as it is installed.
        for checked in (ROOT / "python" / "lowbit", user):
            result = subprocess.run(
                [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(BUILD / "mypy"),
                 str(checked)], cwd=FOLDER, env=where, capture_output=True, text=True)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


if __name__ == "__main__":
    try:
        bring_wheels()
        subprocess.run([MADE_MODEL, str(FOLDER)], check=True)
        install()
        import lowbit
        import numpy as np
        program = unittest.main(argv=sys.argv[:1], exit=False)
    finally:
        shutil.rmtree(FOLDER)
    sys.exit(not program.result.wasSuccessful())
