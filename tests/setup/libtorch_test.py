"""tools/setup/libtorch.py without a network: made-up wheels, a pip that copies them."""

import pathlib
import sys
import tempfile
import unittest
import zipfile
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tools" / "setup"))
import libtorch


class Libtorch(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.site = self.folder / "site"
        self.downloads = []
        patch = mock.patch.object(libtorch, "download", self.download)
        patch.start()
        self.addCleanup(patch.stop)

    def download(self, requirement, folder):
        """A wheel with one library in the folder that all of NVIDIA's wheels share."""
        name, _, version = requirement.replace("-", "_").partition("==")
        self.downloads.append(requirement)
        folder.mkdir(exist_ok=True)
        with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"nvidia/cu13/lib/{name}.so", name)
            wheel.writestr(f"{name}-{version}.dist-info/METADATA", name)

    def test_wheels_that_share_a_folder_are_merged(self):
        libtorch.bring(self.folder, ["nvidia-a==1", "nvidia-b==2"])
        libtorch.bring(self.folder, ["nvidia-c==3"])
        names = sorted(path.name for path in (self.site / "nvidia/cu13/lib").iterdir())
        self.assertEqual(names, ["nvidia_a.so", "nvidia_b.so", "nvidia_c.so"])

    def test_what_is_there_is_not_brought_again(self):
        libtorch.bring(self.folder, ["nvidia-a==1"])
        libtorch.bring(self.folder, ["nvidia-a==1", "nvidia-b==2"])
        self.assertEqual(self.downloads, ["nvidia-a==1", "nvidia-b==2"])

    def test_nothing_but_the_unpacked_wheels_stays(self):
        libtorch.bring(self.folder, ["nvidia-a==1"])
        self.assertEqual([path.name for path in self.folder.iterdir()], ["site"])

    def test_a_wheel_interrupted_before_its_dist_info_came_is_brought_again(self):
        with mock.patch.object(libtorch, "merge", side_effect=KeyboardInterrupt):
            with self.assertRaises(KeyboardInterrupt):
                libtorch.bring(self.folder, ["nvidia-a==1"])
        self.assertFalse(libtorch.is_installed(self.site, "nvidia-a==1"))
        libtorch.bring(self.folder, ["nvidia-a==1"])
        self.assertTrue(libtorch.is_installed(self.site, "nvidia-a==1"))

    def test_the_dist_info_is_moved_last(self):
        moved = []
        with mock.patch.object(libtorch, "merge", lambda source, _: moved.append(source.name)):
            libtorch.bring(self.folder, ["a-first==1"])
        self.assertEqual(moved, ["nvidia", "a_first-1.dist-info"])

    def test_left_overs_of_an_interrupted_call_are_removed(self):
        (self.folder / "incoming-old" / "wheels").mkdir(parents=True)
        with mock.patch.object(libtorch, "CPU_WHEELS", []):
            libtorch.main(self.folder, "cpu")
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()),
                         ["lock", "ready-cpu", "site"])

    def test_libraries_are_brought_until_none_is_missing(self):
        listings = [["libcublas", "libcublasLt", "libcusolver"], ["libcusparse"], []]
        with mock.patch.object(libtorch, "missing_cuda_libraries", side_effect=listings):
            libtorch.bring_cuda_libraries(self.folder)
        self.assertEqual([r.partition("==")[0] for r in self.downloads],
                         ["nvidia-cublas", "nvidia-cusolver", "nvidia-cusparse"])

    def test_nvjpeg_is_brought_for_programs_with_cuda_alone(self):
        with mock.patch.object(libtorch, "missing_cuda_libraries", return_value=[]):
            for purpose, count in (("cpu", 0), ("cuda", 1)):
                libtorch.main(self.folder, purpose)
                self.assertEqual(self.downloads.count(libtorch.NVJPEG_WHEEL), count)

    def test_missing_libraries_are_read_from_ldd_without_the_driver(self):
        listing = mock.Mock(stdout="libcudnn.so.9 => not found\nlibcuda.so.1 => not found\n"
                                   "libm.so.6 => /lib/libm.so.6 (0x1)\n")
        with mock.patch.object(libtorch.subprocess, "run", return_value=listing):
            self.assertEqual(libtorch.missing_cuda_libraries(self.folder), ["libcudnn"])


if __name__ == "__main__":
    unittest.main()
