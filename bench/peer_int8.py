"""Latency of packed networks beside what one would otherwise run: ResNet-18 at 224 in 8 bits by
ONNX Runtime and by OpenVINO, in the same run, by turns, one image at a time.

    pip install numpy torch onnx onnxruntime openvino
    python3 bench/peer_int8.py --library build/cpu/src/lowbit/runtime/liblowbit.so [--threads 1] MODEL.lowbit ...

The 8-bit network has random weights, which costs the same as trained ones: exported by PyTorch,
quantized (static, per channel, QDQ) by ONNX Runtime. What is not installed is left out, with a
message. Run it on as many cores as --threads says: `taskset -c 0 python3 ...`.
"""

import argparse
import ctypes
import pathlib
import statistics
import tempfile
import time

import numpy as np

SIDE = 224


class Description(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in
                ("height", "width", "channels", "resize", "classes", "steps")]
    _fields_ += [(name, ctypes.c_char_p) for name in ("network", "checked", "kernels")]


def packed(library, path, threads):
    """A function that classifies one image of noise with the packed network."""
    lib = ctypes.CDLL(str(library.resolve()))
    model, session = ctypes.c_void_p(), ctypes.c_void_p()
    message = ctypes.create_string_buffer(512)

    def require(status):
        if status != 0:
            raise SystemExit(message.value.decode())

    require(lib.lowbit_open(str(path).encode(), b"auto", ctypes.byref(model), message))
    require(lib.lowbit_session_open(model, threads, ctypes.byref(session), message))
    said = Description()
    lib.lowbit_describe(model, ctypes.byref(said))
    image = np.random.default_rng(1).integers(
        0, 256, (said.height, said.width, said.channels), dtype=np.uint8)
    logits = np.empty(said.classes, np.float32)
    where = image.ctypes.data_as(ctypes.c_void_p), logits.ctypes.data_as(ctypes.c_void_p)
    return lambda: require(lib.lowbit_run(session, where[0], 1, where[1], message))


def resnet18():
    """torchvision's, without its package."""
    from torch import nn

    class Block(nn.Module):
        def __init__(self, inside, out, stride):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(inside, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(),
                nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out))
            self.skip = nn.Sequential()
            if inside != out:
                self.skip = nn.Sequential(nn.Conv2d(inside, out, 1, stride, bias=False),
                                          nn.BatchNorm2d(out))
            self.relu = nn.ReLU()

        def forward(self, x):
            return self.relu(self.body(x) + self.skip(x))

    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
              nn.MaxPool2d(3, 2, 1)]
    inside = 64
    for out in (64, 128, 256, 512):
        layers += [Block(inside, out, 1 if out == 64 else 2), Block(out, out, 1)]
        inside = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)).eval()


def int8_file(folder):
    """The network in 8 bits as an ONNX file."""
    import torch
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    plain, prepared, quantized = (folder / name for name in ("fp32.onnx", "pre.onnx", "int8.onnx"))
    torch.manual_seed(1)
    torch.onnx.export(resnet18(), torch.randn(1, 3, SIDE, SIDE), str(plain), opset_version=17,
                      input_names=["image"], dynamo=False)
    quant_pre_process(str(plain), str(prepared))

    class Images(quantization.CalibrationDataReader):
        def __init__(self):
            random = np.random.default_rng(2)
            self.left = iter([{"image": random.standard_normal((1, 3, SIDE, SIDE), np.float32)}
                              for _ in range(8)])

        def get_next(self):
            return next(self.left, None)

    quantization.quantize_static(str(prepared), str(quantized), Images(), per_channel=True,
                                 quant_format=quantization.QuantFormat.QDQ)
    return quantized


def onnx_runtime(path, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    image = np.random.default_rng(1).standard_normal((1, 3, SIDE, SIDE), np.float32)
    return lambda: session.run(None, {"image": image})


def openvino(path, threads):
    import openvino as ov
    core = ov.Core()
    model = core.compile_model(core.read_model(str(path)), "CPU", {
        "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32"})
    request = model.create_infer_request()
    request.set_input_tensor(ov.Tensor(
        np.random.default_rng(1).standard_normal((1, 3, SIDE, SIDE), np.float32)))
    return request.infer


def runners(call):
    for path in call.models:
        yield path.stem, packed(call.library, path, call.threads)
    with tempfile.TemporaryDirectory() as folder:
        try:
            network = int8_file(pathlib.Path(folder))
        except ImportError as error:
            print(f"without peers: {error}")
            return
        for name, make in (("ONNX Runtime int8", onnx_runtime), ("OpenVINO int8", openvino)):
            try:
                yield name, make(network, call.threads)
            except (ImportError, RuntimeError) as error:
                print(f"without {name}: {error}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=pathlib.Path)
    parser.add_argument("--library", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    call = parser.parse_args()
    named = dict(runners(call))
    times = {name: [] for name in named}
    for turn in range(call.rounds + 1):
        for name, run in named.items():
            for _ in range(5):
                start = time.perf_counter()
                run()
                if turn > 0:
                    times[name].append(time.perf_counter() - start)
    for name, seconds in times.items():
        print(f"{name:36} {1e3 * statistics.median(seconds):8.2f} ms  (best {1e3 * min(seconds):.2f})")


if __name__ == "__main__":
    main()
