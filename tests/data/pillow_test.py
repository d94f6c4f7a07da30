"""Decoding, resizing and changing of colors are those of Pillow.

python3 pillow_test.py TEST_DATA FIXTURES: Pillow makes pictures, the test program cuts samples out of
them, and Pillow does the same.
"""

import io
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

SKIPPED = 77  # ctest's SKIP_RETURN_CODE

try:
    import numpy
    from PIL import Image, ImageEnhance
except (ImportError, OSError) as error:
    print(f"skipped, there is no Python with Pillow here: {error}")
    sys.exit(SKIPPED)

FIXTURES = pathlib.Path(sys.argv.pop(2))
TEST_DATA = sys.argv.pop(1)

RANDOM = numpy.random.default_rng(5)


def smooth(height, width, channels):
    """Pixels that JPEG keeps: waves with a little noise."""
    y, x, c = numpy.ogrid[:height, :width, :channels]
    waves = 128 + 90 * numpy.sin(x / (9 + 2 * c)) * numpy.cos(y / (13 - c))
    noise = RANDOM.normal(0, 6, (height, width, channels))
    return (waves + noise).clip(0, 255).astype(numpy.uint8).squeeze()


def png(width, height, color_type, bits, rows, chunks=b""):
    """What Pillow cannot write: 16 bits of color, palettes and transparency of every kind."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    size = len(rows) // height
    filtered = b"".join(b"\0" + rows[y * size:(y + 1) * size] for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunks +
            chunk(b"IDAT", zlib.compress(filtered)) + chunk(b"IEND", b""))


def transparency(data):
    return struct.pack(">I", len(data)) + b"tRNS" + data + struct.pack(">I", zlib.crc32(b"tRNS" + data))


def pictures():
    """Name to bytes."""
    made = {file.name: file.read_bytes() for file in FIXTURES.iterdir()}

    def save(name, pixels, mode=None, **options):
        stream = io.BytesIO()
        Image.fromarray(pixels, mode).save(stream, name.rsplit(".")[-1], **options)
        made[name] = stream.getvalue()

    for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
        save(f"{subsampling[2:].replace(':', '')}.jpeg", smooth(157, 203, 3), quality=92,
             subsampling=subsampling)
    save("progressive.jpeg", smooth(140, 171, 3), progressive=True)
    save("gray.jpeg", smooth(99, 80, 1))
    save("cmyk.jpeg", smooth(120, 131, 4), "CMYK")
    save("restarts.jpeg", smooth(100, 130, 3), restart_marker_rows=1)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned, which nobody looks at
    save("turned.jpeg", smooth(60, 100, 3), exif=exif)
    save("line.jpeg", smooth(300, 1, 3))
    save("large.jpeg", smooth(640, 1100, 3), subsampling="4:2:0")  # more than twice a sample
    save("huge.png", smooth(31, 9001, 3))
    save("gray.png", smooth(50, 60, 1))
    save("alpha.png", smooth(50, 61, 4), "RGBA")
    save("gray-alpha.png", smooth(50, 62, 2), "LA")
    stream = io.BytesIO()
    Image.fromarray(smooth(70, 71, 3)).quantize(37).save(stream, "png", transparency=3)
    made["palette.png"] = stream.getvalue()
    stream = io.BytesIO()
    Image.fromarray(smooth(70, 71, 1)).convert("1").save(stream, "png")
    made["bits.png"] = stream.getvalue()
    noise = RANDOM.bytes
    made["gray16.png"] = png(20, 21, 0, 16, noise(20 * 21 * 2))
    made["gray16-dark.png"] = png(20, 21, 0, 16, numpy.arange(420).astype(">u2").tobytes(),
                                  transparency(b"\0\2"))
    made["gray16-alpha.png"] = png(20, 21, 4, 16, noise(20 * 21 * 4))
    made["rgb16.png"] = png(20, 21, 2, 16, noise(20 * 21 * 6))
    made["rgba16.png"] = png(20, 21, 6, 16, noise(20 * 21 * 8))
    made["gray2.png"] = png(20, 21, 0, 2, noise(5 * 21))
    made["rgb-transparent.png"] = png(20, 21, 2, 8, noise(20 * 21 * 3), transparency(b"\0\1" * 3))
    return made


def crops_of(height, width):
    """(box, size, window): as a Crop of src/lowbit/data/crop.h."""
    yield (0, 0, height, width), (height, width), (0, 0, height, width)  # the picture itself
    yield (0, 0, height, width), (224, 224), (0, 0, 224, 224)
    yield (0, 0, height, width), (7, 5), (0, 0, 7, 5)
    for _ in range(6):
        h, w = int(RANDOM.integers(1, height + 1)), int(RANDOM.integers(1, width + 1))
        top, left = int(RANDOM.integers(height - h + 1)), int(RANDOM.integers(width - w + 1))
        side = int(RANDOM.choice([1, 31, 64, 224]))
        yield (top, left, h, w), (side, side), (0, 0, side, side)
    short = min(height, width)
    for side in (64, 256):  # as pictures are packed
        size = (side * height // short, side * width // short)
        if max(size) < 20000:
            yield (0, 0, height, width), size, (0, 0, *size)
    if max(size) < 20000:
        yield (0, 0, height, width), size, (round((size[0] - 224) / 2), round((size[1] - 224) / 2),
                                            224, 224)


class Pillow(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.pictures = {}
        cls.crops, cls.colors = [], []
        for name, content in pictures().items():
            (cls.folder / name).write_bytes(content)
            picture = Image.open(cls.folder / name).convert("RGB")
            cls.pictures[name] = picture
            cls.crops += [(name, *crop) for crop in crops_of(picture.height, picture.width)]
            factors = RANDOM.uniform(0.6, 1.4, (4, 3)).astype(numpy.float32)
            if picture.height < 600:
                cls.colors += [(name, [float(f) for f in row]) for row in factors]
        (cls.folder / "crops").write_text("".join(
            " ".join(map(str, (name, *box, *size, *window))) + "\n"
            for name, box, size, window in cls.crops))
        (cls.folder / "colors").write_text("".join(
            " ".join([name] + [repr(f) for f in factors]) + "\n" for name, factors in cls.colors))
        subprocess.run(
            [TEST_DATA, "--gtest_filter=Samples.AreWrittenForPillow", "--gtest_brief=1"],
            env=os.environ | {"LOWBIT_PILLOW": str(cls.folder)},
            check=True,
        )

    def outputs(self, name, shapes):
        content = numpy.fromfile(self.folder / name, numpy.uint8)
        ends = numpy.cumsum([numpy.prod(shape) for shape in shapes])
        self.assertEqual(len(content), ends[-1])
        return [part.reshape(shape).astype(int)
                for part, shape in zip(numpy.split(content, ends[:-1]), shapes)]

    def test_samples_are_those_of_crop_and_resize(self):
        seen = self.outputs("crops.out", [(*window[2:], 3) for *_, window in self.crops])
        different = 0
        for (name, (top, left, h, w), (height, width), window), pixels in zip(self.crops, seen):
            box = self.pictures[name].crop((left, top, left + w, top + h))
            y, x, window_height, window_width = window

            def difference(scaled):
                expected = numpy.asarray(scaled).astype(int)
                return abs(pixels - expected[y:y + window_height, x:x + window_width])

            bilinear = Image.Resampling.BILINEAR
            # The rows before the columns, whatever this release of Pillow begins with.
            exact = difference(box.resize((width, h), bilinear).resize((width, height), bilinear))
            self.assertEqual(exact.max(), 0, (name, (top, left, h, w), (height, width)))
            distance = difference(box.resize((width, height), bilinear))
            different += int((distance > 0).sum())
            self.assertLessEqual(distance.max(), 1, (name, (top, left, h, w), (height, width)))
        print(f"{sum(p.size for p in seen)} bytes, {different} differ from Pillow's, by 1")

    def test_colors_change_as_with_image_enhance(self):
        shapes = [(self.pictures[name].height, self.pictures[name].width, 3)
                  for name, _ in self.colors]
        for (name, factors), pixels in zip(self.colors, self.outputs("colors.out", shapes)):
            picture = self.pictures[name]
            for change, factor in zip(
                (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color), factors):
                picture = change(picture).enhance(factor)
            distance = abs(pixels - numpy.asarray(picture).astype(int))
            self.assertLessEqual(distance.max(), 1, (name, factors))


if __name__ == "__main__":
    unittest.main()
