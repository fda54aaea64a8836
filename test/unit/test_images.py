import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icpi_ros.core.errors import InvalidValue
from icpi_ros.perception.images import CHANNELS, Box, Frame, decode

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


def test_decoding_copies_nothing():
    data = bytearray(24 * 40 * 3)
    frame = decode(data, 40, 24, "rgb8", 120)
    data[0] = 9
    assert frame.pixels[0, 0, 0] == 9


@pytest.mark.parametrize(
    ("size", "encoding", "step", "count", "words"),
    [
        ((32, 24), "rgb16", 96, 2304, "encoding 'rgb16'.*rgb8"),
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
