#!/usr/bin/env python3
"""Brings LibTorch 2.11 and ONNX's format: unpacks wheels into FOLDER/site, laid out as pip would.

    libtorch.py FOLDER cpu|cuda|python

cpu     what a program needs that links libtorch_cpu, and onnx.proto
cuda    and what libtorch_cuda needs of NVIDIA's libraries that this machine does not have, and nvJPEG
python  and what `import torch` needs, for the tests that compare with PyTorch, TensorBoard, Pillow
        and ONNX Runtime

Several checkouts may share FOLDER. Interrupted at any moment, the next call goes on: a wheel is
unpacked aside and then moved, its dist-info last, so a wheel whose dist-info is there is whole.
"""

import fcntl
import hashlib
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

TORCH = "torch==2.11.0"
# Its onnx.proto is compiled into the program; the tests import it.
ONNX = "onnx==1.23.2"
# Whose wheel of these two is taken where there is none for the Python of the machine: what the program
# needs is the same in all of them.
FALLBACK_PYTHON = "3.12"
NEEDED_ANYWHERE = (TORCH, ONNX)

# libtorch_cpu is built with the profiler of CUDA and needs these two on every machine.
CPU_WHEELS = ["nvidia-cuda-runtime==13.0.96", "nvidia-cuda-cupti==13.0.85"]

# Library -> wheel, the versions being those that TORCH's metadata asks for.
WHEEL_OF_LIBRARY = {
    "libcublas": "nvidia-cublas==13.1.0.3",
    "libcublasLt": "nvidia-cublas==13.1.0.3",
    "libcudart": "nvidia-cuda-runtime==13.0.96",
    "libcudnn": "nvidia-cudnn-cu13==9.19.0.56",
    "libcufft": "nvidia-cufft==12.0.0.61",
    "libcufile": "nvidia-cufile==1.15.1.6",
    "libcupti": "nvidia-cuda-cupti==13.0.85",
    "libcurand": "nvidia-curand==10.4.0.35",
    "libcusolver": "nvidia-cusolver==12.0.4.66",
    "libcusparse": "nvidia-cusparse==12.6.3.3",
    "libcusparseLt": "nvidia-cusparselt-cu13==0.8.0",
    "libnccl": "nvidia-nccl-cu13==2.28.9",
    "libnvJitLink": "nvidia-nvjitlink==13.0.88",
    "libnvrtc": "nvidia-cuda-nvrtc==13.0.88",
    "libnvshmem_host": "nvidia-nvshmem-cu13==3.4.5",
}
# Not LibTorch's: data set dali decodes with it.
NVJPEG_WHEEL = "nvidia-nvjpeg==13.0.1.86"
CUDA_LIBRARIES = ["libtorch_cuda.so", "libtorch_cuda_linalg.so", "libcaffe2_nvrtc.so"]

# What PyTorch imports; TensorBoard's reader of event files, without its server; ONNX Runtime, and
# what it and ONNX import.
PYTHON_WHEELS = ["filelock", "fsspec", "jinja2", "markupsafe", "mpmath", "networkx", "numpy",
                 "sympy", "typing-extensions", "absl-py", "packaging", "protobuf", "tensorboard",
                 "pillow", "onnxruntime", "flatbuffers", "ml-dtypes"]

PURPOSES = ("cpu", "cuda", "python")


def main(folder, purpose):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left_over in folder.glob("incoming-*"):
            shutil.rmtree(left_over)
        bring(folder, [TORCH, ONNX] + CPU_WHEELS)
        if purpose in ("cuda", "python"):
            bring_cuda_libraries(folder)
        if purpose == "cuda":
            bring(folder, [NVJPEG_WHEEL])
        if purpose == "python" and imports_torch(folder):
            bring(folder, PYTHON_WHEELS)
        # Read by setup.sh, which need not start Python then.
        this_list = hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()
        (folder / f"ready-{purpose}").write_text(this_list + "\n")


def bring(folder, requirements):
    missing = [r for r in requirements if not is_installed(folder / "site", r)]
    if not missing:
        return
    incoming = pathlib.Path(tempfile.mkdtemp(prefix="incoming-", dir=folder))
    for requirement in missing:
        download(requirement, incoming / "wheels")
    for wheel in sorted((incoming / "wheels").iterdir()):
        unpack(wheel, incoming / wheel.stem, folder / "site")
        wheel.unlink()
    shutil.rmtree(incoming)


def bring_cuda_libraries(folder):
    """A library that came may need another: repeated until none is missing or no more can be had."""
    before = None
    while (missing := missing_cuda_libraries(folder)) and missing != before:
        bring(folder, sorted({WHEEL_OF_LIBRARY[name] for name in missing}))
        before = missing


def missing_cuda_libraries(folder):
    """Names as in WHEEL_OF_LIBRARY; libcuda, which belongs to the driver, is not among them."""
    # A library path of this shell may not be there in the next one.
    environment = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
    lib = folder / "site" / "torch" / "lib"
    listing = subprocess.run(["ldd"] + [str(lib / name) for name in CUDA_LIBRARIES], check=True,
                             env=environment, capture_output=True, text=True).stdout
    names = set(re.findall(r"(\w+)\.so\S* => not found", listing))
    return sorted(names & WHEEL_OF_LIBRARY.keys())


def imports_torch(folder):
    """Whether the wheel is of this Python's version."""
    tag = f"cpython-{sys.version_info.major}{sys.version_info.minor}-"
    return any((folder / "site" / "torch").glob(f"_C.{tag}*"))


def is_installed(site, requirement):
    name, _, version = requirement.replace("-", "_").partition("==")
    return any(site.glob(f"{name}-{version or '*'}.dist-info"))


def download(requirement, folder):
    # No cache: it would keep a second copy of every gigabyte.
    pip = [sys.executable, "-m", "pip", "download", "--no-cache-dir", "--progress-bar", "off",
           "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    other = ["--implementation", "cp", "--python-version", FALLBACK_PYTHON,
             "--platform", f"manylinux_2_28_{platform.machine()}"]
    # pip unpacks beside the target: the system's temporary folder may be small.
    environment = dict(os.environ, TMPDIR=str(folder.parent))
    first = subprocess.run(pip + [requirement], env=environment,
                           check=requirement not in NEEDED_ANYWHERE)
    if first.returncode != 0:
        print(f"not for Python {platform.python_version()}: trying {FALLBACK_PYTHON}", flush=True)
        subprocess.run(pip + other + [requirement], env=environment, check=True)


def unpack(wheel, aside, site):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(aside)
    print(f"unpacked {wheel.name}", flush=True)
    site.mkdir(exist_ok=True)
    for entry in sorted(aside.iterdir(), key=lambda e: e.suffix == ".dist-info"):
        merge(entry, site / entry.name)


def merge(source, target):
    """Moves source to target; folders that are in both become one (`nvidia` comes in many wheels)."""
    if source.is_dir() and target.is_dir():
        for child in source.iterdir():
            merge(child, target / child.name)
    else:
        os.replace(source, target)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[2] not in PURPOSES:
        sys.exit(__doc__)
    try:
        main(sys.argv[1], sys.argv[2])
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(error.cmd)}: failed with status {error.returncode}")
    except OSError as error:
        sys.exit(f"{error.filename or sys.argv[1]}: {error.strerror}")
