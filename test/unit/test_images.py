import struct
from array import array
from types import SimpleNamespace
from zlib import crc32

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icpi_ros.core.errors import InvalidValue
from icpi_ros.perception.imaging.encodings import decode, decompress, frame_of
from icpi_ros.perception.imaging.images import CHANNELS, Box, Frame

FIRST = {"rggb": (0, 1, 1, 2), "bggr": (2, 1, 1, 0), "gbrg": (1, 2, 0, 1), "grbg": (1, 0, 2, 1)}
"""Channel of the pixels (0, 0), (0, 1), (1, 0), (1, 1), from the names of the encodings."""


def encode(rgb, encoding, padding=0):
    """Bytes and step of an RGB image, written independently of the decoder."""
    if encoding == "rgb8":
        rows = rgb.reshape(len(rgb), -1)
    elif encoding == "bgr8":
        rows = rgb[..., ::-1].reshape(len(rgb), -1)
    elif encoding == "mono8":
        rows = rgb[..., 0]
    else:
        rows = np.empty(rgb.shape[:2], np.uint8)
        for place, channel in enumerate(FIRST[encoding[6:10]]):
            row, column = divmod(place, 2)
            rows[row::2, column::2] = rgb[row::2, column::2, channel]
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    return padded.tobytes(), padded.shape[1]


def picture(colour=(200, 60, 20), size=(24, 32)):
    image = np.full((*size, 3), 128, np.uint8)
    image[4:16, 6:20] = colour
    return image


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", CHANNELS)
def test_an_image_comes_back_from_its_bytes(encoding, padding):
    image = picture()
    data, step = encode(image, encoding, padding)
    frame = decode(data, 32, 24, encoding, step)
    seen = frame.patch(frame.box)
    if encoding == "mono8":
        np.testing.assert_array_equal(seen, image[..., 0])
        return
    inside = np.zeros((24, 32), bool)
    inside[6:14, 8:18] = inside[18:, :] = True  # demosaicing blurs edges, not areas
    np.testing.assert_array_equal(seen[inside], image[inside])
    if encoding in ("rgb8", "bgr8"):
        np.testing.assert_array_equal(seen, image)


@pytest.mark.parametrize("encoding", CHANNELS)
def test_a_part_is_the_same_as_the_part_of_the_whole(encoding):
    image = np.random.default_rng(0).integers(0, 255, (24, 32, 3)).astype(np.uint8)
    data, step = encode(image, encoding)
    frame = decode(data, 32, 24, encoding, step)
    box = Box(5, 3, 18, 20)
    np.testing.assert_array_equal(frame.patch(box), frame.patch(frame.box)[3:20, 5:18])


@pytest.mark.parametrize("encoding", CHANNELS)
@pytest.mark.parametrize("stride", [2, 4])
def test_a_thinned_image_has_the_colours_of_its_places(encoding, stride):
    image = picture()
    data, step = encode(image, encoding)
    thin, shift = decode(data, 32, 24, encoding, step).thinned(Box(0, 0, 32, 24), stride)
    assert shift == (0.5 if encoding.startswith("bayer") else 0.0)
    expected = image[::stride, ::stride]
    np.testing.assert_array_equal(thin, expected[..., 0] if encoding == "mono8" else expected)


@given(stride=st.integers(1, 5), w=st.integers(6, 40), h=st.integers(6, 40))
def test_thinning_picks_every_nth_pixel_of_any_box(stride, w, h):
    image = np.random.default_rng(1).integers(0, 255, (50, 60, 3)).astype(np.uint8)
    thin, _ = Frame(image, "rgb8").thinned(Box(3, 2, 3 + w, 2 + h), stride)
    np.testing.assert_array_equal(thin, image[2 : 2 + h : stride, 3 : 3 + w : stride])


SMOOTH = np.dstack(
    [np.tile(np.linspace(40 + 20 * c, 200 - 30 * c, 32), (24, 1)) for c in range(3)]
).astype(np.uint8)
"""A picture whose neighbours are alike: some encodings share colours, ``(24, 32, 3)``."""


def deep(levels, bits, order):
    return (levels.astype(np.uint16) << (bits - 8)).astype(f"{order}u2").tobytes()


BT601 = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]])
"""Luma and colour differences of RGB from 0 to 1, in studio range (ITU-R BT.601)."""


def pairs(first, second):
    """Bytes of pairs of pixels with shared colours; luma is byte ``first`` of a pixel."""
    y, u, v = np.moveaxis(np.rint(SMOOTH / 255 @ BT601.T + [16, 128, 128]), -1, 0)
    out = np.empty((24, 32, 2), np.uint8)
    out[..., first] = y
    out[:, 0::2, second], out[:, 1::2, second] = u[:, 0::2], v[:, 0::2]
    return out.tobytes()


DRIVERS = {
    "8UC1": (SMOOTH[..., 0].tobytes(), 32, {}),
    "8UC3": (SMOOTH[..., ::-1].tobytes(), 96, {}),
    "8UC4": (np.dstack([SMOOTH[..., ::-1], SMOOTH[..., 0]]).tobytes(), 128, {}),
    "rgba8": (np.dstack([SMOOTH, SMOOTH[..., 0]]).tobytes(), 128, {}),
    "bgra8": (np.dstack([SMOOTH[..., ::-1], SMOOTH[..., 0]]).tobytes(), 128, {}),
    "mono16": (deep(SMOOTH[..., 0], 16, "<"), 64, {}),
    "rgb16": (deep(SMOOTH, 16, "<"), 192, {}),
    "bgr16": (deep(SMOOTH[..., ::-1], 16, ">"), 192, {"big_endian": True}),
    "16UC3": (deep(SMOOTH[..., ::-1], 16, "<"), 192, {}),
    "yuv422_yuy2": (pairs(0, 1), 64, {}),
    "yuyv": (pairs(0, 1), 64, {}),
    "yuv422": (pairs(1, 0), 64, {}),
    "uyvy": (pairs(1, 0), 64, {}),
}


@pytest.mark.parametrize("encoding", DRIVERS)
def test_what_drivers_send_is_the_picture(encoding):
    data, step, how = DRIVERS[encoding]
    frame = decode(data, 32, 24, encoding, step, **how)
    seen = frame.patch(frame.box).astype(int)
    expected = (SMOOTH[..., 0] if seen.ndim == 2 else SMOOTH).astype(int)
    assert np.abs(seen - expected).max() <= (6 if "yu" in encoding or "uy" in encoding else 0)


@pytest.mark.parametrize("encoding", ["nv12", "nv21"])
def test_planes_of_colours_are_the_picture(encoding):
    i420 = cv2.cvtColor(SMOOTH, cv2.COLOR_RGB2YUV_I420)
    u, v = i420[24:30].reshape(-1), i420[30:36].reshape(-1)
    pair = (u, v) if encoding == "nv12" else (v, u)
    data = i420[:24].tobytes() + np.column_stack(pair).tobytes()
    frame = decode(data, 32, 24, encoding, 32)
    assert np.abs(frame.pixels.astype(int) - SMOOTH).max() <= 4


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("cells", ["mono", "bayer_rggb", "bayer_gbrg"])
def test_deep_images_have_the_levels_of_the_bits_that_are_used(cells, bits, order):
    flat = np.full((24, 32), 180, np.uint8)
    frame = decode(deep(flat, bits, order), 32, 24, f"{cells}16", 64, order == ">")
    assert frame.encoding == f"{cells}8"
    np.testing.assert_array_equal(frame.pixels, flat)


def test_a_deep_image_of_noise_alone_stays_black():
    noise = np.random.default_rng(0).integers(0, 100, (24, 32)).astype("<u2")
    assert decode(noise.tobytes(), 32, 24, "mono16", 64).pixels.max() == 99 >> 4


@pytest.mark.parametrize("form", ["jpeg", "rgb8; jpeg compressed bgr8", "png", ""])
def test_a_compressed_image_is_the_picture(form):
    suffix = ".png" if form == "png" else ".jpg"
    data = cv2.imencode(suffix, SMOOTH[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    message = SimpleNamespace(format=form, data=array("B", data.tobytes()))
    frame = frame_of(message)
    assert np.abs(frame.patch(frame.box).astype(int) - SMOOTH).max() <= 12
    gray = decompress(cv2.imencode(".png", SMOOTH[..., 0])[1].tobytes(), "mono8; png compressed")
    np.testing.assert_array_equal(gray.gray(), SMOOTH[..., 0])


@pytest.mark.parametrize(
    ("suffix", "bits"),
    [(".webp", 8), (".tiff", 8), (".tiff", 12), (".png", 12), (".tiff", 16), (".png", 16)],
)
def test_compressed_images_of_other_formats_and_depths(suffix, bits):
    levels = SMOOTH[..., ::-1].astype(np.uint16) << (bits - 8)
    stored = levels if bits > 8 else levels.astype(np.uint8)
    frame = decompress(cv2.imencode(suffix, stored)[1].tobytes(), suffix)
    assert np.abs(frame.patch(frame.box).astype(int) - SMOOTH).max() <= 12


def jpeg_bomb(before):
    return b"\xff\xd8" + before + b"\xff\xc0\x00\x11\x08\xff\xff\xff\xff"


def webp_bomb(kind):
    sizes = {
        b"VP8X": b"\0" * 8 + b"\xff" * 6,
        b"VP8L": b"\0" * 5 + b"\xff" * 9,
        b"VP8 ": b"\0" * 10 + b"\xff" * 4,
    }
    return b"RIFF\0\0\0\0WEBP" + kind + sizes[kind]


def tiff_bomb(order, mark):
    tags = b"".join(struct.pack(order + "HHII", tag, 4, 1, 99_999) for tag in (256, 257))
    return mark + struct.pack(order + "IH", 8, 2) + tags


def bomb(size):
    """A PNG that announces a size it does not hold."""
    head = b"IHDR" + struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", crc32(head))


@pytest.mark.parametrize(
    ("data", "form", "words"),
    [
        (b"", "jpeg", "0 B, format 'jpeg': cannot be read"),
        (b"no image at all", "png", "cannot be read"),
        (cv2.imencode(".jpg", SMOOTH)[1].tobytes()[:60], "jpeg", "cannot be read"),
        (bomb(60000), "png", "60000 x 60000 px: too large"),
        (jpeg_bomb(b""), "jpeg", "65535 x 65535 px: too large"),
        (jpeg_bomb(2 * (b"\xff\xe2\xff\xff" + b"\0" * 65533)), "jpeg", "px: too large"),
        (jpeg_bomb(b"\xff\xff\xff\x01"), "jpeg", "px: too large"),
        (webp_bomb(b"VP8X"), "webp", "16777216 x 16777216 px: too large"),
        (webp_bomb(b"VP8L"), "webp", "16384 x 16384 px: too large"),
        (webp_bomb(b"VP8 "), "webp", "16383 x 16383 px: too large"),
        (tiff_bomb("<", b"II*\0"), "tiff", "99999 x 99999 px: too large"),
        (tiff_bomb(">", b"MM\0*"), "tiff", "99999 x 99999 px: too large"),
        (b"P6 30000 30000 255\n", "ppm", "must be a JPEG, PNG, WebP or TIFF"),
        (cv2.imencode(".tiff", np.zeros((2, 2), np.float32))[1].tobytes(), "tiff", "8 or 16 bits"),
        (b"\x00" * 20, "16UC1; compressedDepth png", "is a depth image"),
    ],
)
def test_a_compressed_image_that_is_none_is_refused(data, form, words):
    with pytest.raises(InvalidValue, match=words):
        decompress(data, form)


def test_decoding_copies_nothing():
    data = bytearray(24 * 40 * 3)
    frame = decode(data, 40, 24, "rgb8", 120)
    data[0] = 9
    assert frame.pixels[0, 0, 0] == 9


@pytest.mark.parametrize(
    ("size", "encoding", "step", "count", "words"),
    [
        ((32, 24), "rgb5", 96, 2304, "encoding 'rgb5' is not supported: must be one of rgb8"),
        ((32, 24), "32FC1", 128, 3072, "'32FC1' is that of a depth image: give the colour"),
        ((32, 24), "16UC1", 64, 1536, "depth image"),
        ((32, 24), "mono16", 32, 768, "step 32 B.*64 B"),
        ((31, 24), "yuyv", 62, 1488, "31 px across.*pairs"),
        ((32, 23), "nv21", 32, 1104, "32 x 23 px.*2 x 2"),
        ((32, 24), "nv12", 32, 768, "36 rows of 32 B"),
        ((32, 24), "rgb8", 32, 768, "step 32 B.*96 B"),
        ((32, 24), "rgb8", 96, 2303, "2303 B.*2304 B"),
        ((32, 24), "mono8", 32, 769, "769 B"),
        ((0, 24), "mono8", 32, 0, "0 x 24 px"),
        ((32, 24), "rgb8", 96, 0, "0 B"),
    ],
)
def test_what_does_not_fit_is_refused(size, encoding, step, count, words):
    with pytest.raises(InvalidValue, match=words):
        decode(bytes(count), *size, encoding, step)


def test_a_frame_of_the_wrong_shape_or_type_is_refused():
    with pytest.raises(InvalidValue, match="must be"):
        Frame(np.zeros((4, 4), np.uint8), "rgb8")
    with pytest.raises(InvalidValue, match="must be"):
        Frame(np.zeros((4, 4)), "mono8")
