"""The functions of lowbit.h, whose words and rules hold here. Calls do not hold Python's lock."""

from __future__ import annotations

import ctypes
import os
import pathlib
from typing import Any, NoReturn, Optional, Union


class Error(Exception):
    """The library refuses a file, or the system something that it needs; says why in its words."""


class Message(ctypes.Structure):
    _fields_ = [("text", ctypes.c_char * 512)]


class Description(ctypes.Structure):
    _fields_ = [
        ("height", ctypes.c_int),
        ("width", ctypes.c_int),
        ("channels", ctypes.c_int),
        ("resize", ctypes.c_int),
        ("classes", ctypes.c_int),
        ("steps", ctypes.c_int),
        ("network", ctypes.c_char_p),
        ("checked", ctypes.c_char_p),
        ("kernels", ctypes.c_char_p),
    ]


BAD_ARGUMENT, NO_MEMORY = 1, 3

_c = ctypes.CDLL(str(pathlib.Path(__file__).with_name("liblowbit.so")))


def _declare(name: str, *arguments: Any, result: Any = ctypes.c_int) -> Any:
    function = getattr(_c, name)
    function.argtypes, function.restype = arguments, result
    return function


_place = ctypes.POINTER(ctypes.c_void_p)
_message = ctypes.POINTER(Message)
_open = _declare("lowbit_open", ctypes.c_char_p, ctypes.c_char_p, _place, _message)
_open_bytes = _declare(
    "lowbit_open_bytes", ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, _place, _message
)
_close = _declare("lowbit_close", ctypes.c_void_p, result=None)
_describe = _declare(
    "lowbit_describe", ctypes.c_void_p, ctypes.POINTER(Description), result=None
)
_class_name = _declare(
    "lowbit_class_name", ctypes.c_void_p, ctypes.c_int, result=ctypes.c_char_p
)
_session_open = _declare("lowbit_session_open", ctypes.c_void_p, ctypes.c_int, _place, _message)
_session_close = _declare("lowbit_session_close", ctypes.c_void_p, result=None)
_run = _declare(
    "lowbit_run", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, _message
)


def _require(status: int, message: Message) -> None:
    if status == 0:
        return
    text = message.text.decode(errors="replace")
    if status == BAD_ARGUMENT:
        raise ValueError(text)
    raise MemoryError(text) if status == NO_MEMORY else Error(text)


def _c_string(text: Union[str, bytes]) -> bytes:
    encoded = os.fsencode(text)
    if b"\0" in encoded:
        raise ValueError(f"{text!r}: has a byte of value 0")
    return encoded


class _Handle:
    """What the library has opened; closed when nothing refers to it any more."""

    def __init__(self) -> None:
        self.pointer = ctypes.c_void_p()

    def __reduce__(self) -> NoReturn:
        raise TypeError("what the library has opened can be neither copied nor pickled")


class OpenModel(_Handle):
    def __init__(self, path_or_bytes: Union[str, os.PathLike[str], bytes], kernels: str) -> None:
        super().__init__()
        message, place = Message(), ctypes.byref(self.pointer)
        name = _c_string(kernels)
        if isinstance(path_or_bytes, bytes):
            status = _open_bytes(path_or_bytes, len(path_or_bytes), name, place, message)
        else:
            status = _open(_c_string(os.fspath(path_or_bytes)), name, place, message)
        _require(status, message)

    def __del__(self) -> None:
        _close(self.pointer)

    def describe(self) -> Description:
        description = Description()
        _describe(self.pointer, description)
        return description

    def class_name(self, index: int) -> str:
        name: Optional[bytes] = _class_name(self.pointer, index)
        return (name or b"").decode(errors="surrogateescape")


class OpenSession(_Handle):
    def __init__(self, model: OpenModel, threads: int) -> None:
        super().__init__()
        self._model = model  # which stays open as long as this session
        message = Message()
        _require(
            _session_open(model.pointer, threads, ctypes.byref(self.pointer), message), message
        )

    def __del__(self) -> None:
        _session_close(self.pointer)

    def run(self, images: int, count: int, logits: int) -> None:
        """Addresses of contiguous arrays."""
        message = Message()
        _require(_run(self.pointer, images, count, logits, message), message)
