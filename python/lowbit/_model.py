"""A packed network for numpy's arrays."""

from __future__ import annotations

import operator
import os
import threading
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple, Union

import numpy as np
import numpy.typing as npt

from lowbit import _library

_MOST = 2**31 - 1  # of an int


@dataclass(frozen=True)
class Description:
    """What a packed network takes, gives and is."""

    height: int
    """Of an image, in pixels."""
    width: int
    """Of an image, in pixels."""
    channels: int
    """Of an image; three are red, green, blue."""
    resize: int
    """A picture's shorter side is resized to this many pixels, then the center of height x width is
    cut out. 0: a picture must have the size of an image."""
    classes: int
    """Logits of an image."""
    class_names: Tuple[str, ...]
    """By class; empty where the file has none. A byte that is not UTF-8 is a surrogate, as in the
    file names of `os.listdir`."""
    network: str
    """For people: "resnet18, lsq 2/2"."""
    checked: str
    """What was compared when the file was written, for people."""
    kernels: str
    """The instruction set in use, such as "avx2", or "reference"."""


class Model:
    """A packed network that is open.

    Any number of threads may call `run` at once: each of these calls has memory and threads of its
    own, which are kept for the next one. The logits are the same for any number of threads, any
    kernels and on any machine, bit for bit.

    Close it with `close()` or use it as a context manager. It works in a forked process, too.
    A copy (`copy.copy`, `copy.deepcopy`) shares the network, which never changes, and is closed
    separately. A pickle holds the absolute path that the model was opened from, or the bytes;
    unpickling opens it again.
    """

    description: Description
    _model: Optional[_library.OpenModel]
    _idle: List[_library.OpenSession]

    def __init__(
        self,
        path_or_bytes: Union[str, os.PathLike[str], bytes],
        *,
        threads: int = 0,
        kernels: str = "auto",
    ) -> None:
        """Opens a packed file by its path, or from its content as bytes.

        A file is used where it lies: it must not be written to while it is open.

        threads: of one `run`, 1 to 1024; 0: as many as the process has cores. More than that are
            never used.
        kernels: "auto" (the fastest of this machine), an instruction set, such as "portable" or
            "avx2", or "reference": plain loops that all others are compared with.

        Raises lowbit.Error where there is no such file or it is no packed network, ValueError for
        threads or kernels that do not exist, TypeError for threads that are no whole number,
        MemoryError.
        """
        self._threads = _checked_threads(threads)
        self._kernels = kernels
        # For pickling; the path is absolute, as the folder may change.
        self._source = (
            path_or_bytes
            if isinstance(path_or_bytes, bytes)
            else os.path.abspath(os.fsdecode(path_or_bytes))
        )
        self._begin(_library.OpenModel(path_or_bytes, kernels))
        # One right away: what keeps a session from being opened is an error of opening the model.
        self._give_back(self._take_session())

    def run(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Classifies images.

        images: uint8 [N, height, width, channels], 0 to 255, not normalized; N may be 0. No pixel
        may be masked.
        Returns the logits, float32 [N, classes].

        Raises TypeError for another type of numbers, ValueError for another shape, masked pixels or
        after `close()`, MemoryError.
        """
        _require_images(images, self.description)
        pixels = np.ascontiguousarray(images)
        logits = np.empty((len(pixels), self.description.classes), np.float32)
        session = self._take_session()
        session.run(pixels.ctypes.data, len(pixels), logits.ctypes.data)
        self._give_back(session)
        return logits

    def close(self) -> None:
        """Gives the memory back, that of calls which still run as soon as they return. May be
        called again."""
        with self._own_lock():
            self._model = None
            self._idle.clear()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<lowbit.Model {self.description.network!r}{'' if self._model else ', closed'}>"

    def __copy__(self) -> Model:
        twin = Model.__new__(Model)
        twin._threads, twin._kernels, twin._source = self._threads, self._kernels, self._source
        twin._begin(self._opened())
        return twin

    def __deepcopy__(self, memo: Dict[int, object]) -> Model:
        return self.__copy__()

    def __reduce__(self) -> Tuple[object, ...]:
        self._opened()
        return _reopen, (self._source, self._threads, self._kernels)

    def _begin(self, model: _library.OpenModel) -> None:
        self._model = model
        self._begin_process()
        self.description = _description_of(model)

    def _begin_process(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._idle = []

    def _own_lock(self) -> threading.Lock:
        # A forked process lacks the threads of the sessions, and may lack the one that had the lock.
        if self._process != os.getpid():
            self._begin_process()
        return self._lock

    def _opened(self) -> _library.OpenModel:
        model = self._model
        if model is None:
            raise ValueError("the model is closed")
        return model

    def _take_session(self) -> _library.OpenSession:
        with self._own_lock():
            model = self._opened()
            if self._idle:
                return self._idle.pop()
        return _library.OpenSession(model, self._threads)

    def _give_back(self, session: _library.OpenSession) -> None:
        with self._own_lock():
            if self._model is not None:
                self._idle.append(session)


def _reopen(source: Union[str, bytes], threads: int, kernels: str) -> Model:
    return Model(source, threads=threads, kernels=kernels)


def _checked_threads(threads: int) -> int:
    try:
        threads = operator.index(threads)
    except TypeError:
        raise TypeError(f"threads are a whole number, not {threads!r}") from None
    # ctypes would cut off what is beyond an int.
    if not 0 <= threads <= _MOST:
        raise ValueError(f"threads are 0, for all cores, to 1024; not {threads}")
    return threads


def _require_images(images: npt.NDArray[np.uint8], description: Description) -> None:
    if not isinstance(images, np.ndarray):
        raise TypeError(f"images are a numpy array, not {type(images).__name__}")
    if images.dtype != np.uint8:
        raise TypeError(f"images are uint8, 0 to 255; these are {images.dtype}")
    if np.ma.is_masked(images):
        raise ValueError("some pixels of the images are masked: `images.filled(0)` gives them a value")
    shape = (description.height, description.width, description.channels)
    if images.ndim != 4 or images.shape[1:] != shape or len(images) > _MOST:
        raise ValueError(
            f"images are [N, {', '.join(map(str, shape))}], these are {list(images.shape)}"
        )


def _description_of(model: _library.OpenModel) -> Description:
    said = model.describe()
    names = tuple(model.class_name(index) for index in range(said.classes))
    return Description(
        height=said.height,
        width=said.width,
        channels=said.channels,
        resize=said.resize,
        classes=said.classes,
        class_names=names if any(names) else (),
        network=said.network.decode(errors="replace"),
        checked=said.checked.decode(errors="replace"),
        kernels=said.kernels.decode(errors="replace"),
    )
