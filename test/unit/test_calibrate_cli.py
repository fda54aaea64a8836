"""`icpi calibrate` from the command line: files in, YAML, picture and numbers out."""

import base64
import hashlib
import re
import shutil

import cv2
import numpy as np
import pytest
from rendering import TRUTH, angle, board_images, look, marker_table

from icpi_ros.cli.main import main
from icpi_ros.perception.calibration.board import Board
from icpi_ros.perception.calibration.file import Calibration, load, load_camera, save
from icpi_ros.perception.calibration.markers import Marker
from icpi_ros.perception.imaging.encodings import decode
from icpi_ros.perception.imaging.images import CHANNELS

CAMERA = look([0.5, -0.25, 0.65], [0.5, 0.2, 0.0])
SPOTS = np.array(
    [[0.15, -0.05, 0], [0.85, -0.05, 0], [0.95, 0.6, 0], [0.05, 0.6, 0], [0.5, 0.1, 0],
     [0.5, 0.5, 0]]
)  # fmt: skip
MARKERS = {0: (0.25, 0.0), 5: (0.75, 0.0), 7: (0.75, 0.4), 9: (0.25, 0.4)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Views of a board, an image of markers, intrinsics."""
    path = tmp_path_factory.mktemp("calibrate")
    (path / "views").mkdir()
    for number, image in enumerate(board_images(Board(), 16)):
        cv2.imwrite(str(path / "views" / f"{number:02d}.png"), image)
    markers = [Marker.flat(n, 0.06, np.array([x, y, 0.0])) for n, (x, y) in MARKERS.items()]
    cv2.imwrite(str(path / "markers.png"), marker_table(markers, "4x4_50", CAMERA))
    cv2.imwrite(str(path / "small.png"), np.zeros((240, 320), np.uint8))
    (path / "broken").mkdir()
    (path / "broken" / "a.png").write_bytes(b"\x89PNG\r\n no more")
    save(path / "true.yaml", Calibration(TRUTH))
    return path


def icpi(*words):
    return main(["calibrate", *map(str, words)])


def known(noise=0.05):
    pixels = CAMERA.project(SPOTS) + np.random.default_rng(0).normal(0, noise, (6, 2))
    return np.column_stack([pixels, SPOTS])


@pytest.mark.slow
def test_a_folder_of_images_gives_yaml_numbers_and_a_picture(folder, tmp_path, capsys):
    out, picture = tmp_path / "camera.yaml", tmp_path / "camera.png"
    code = icpi("camera", "--images", folder / "views", "--out", out, "--picture", picture)
    said = capsys.readouterr()
    assert code == 0, said.err
    assert said.err == ""  # quiet in a pipe
    assert "16 views used of 16 images" in said.out
    assert " px = 0.0" in said.out
    assert " mm on the board" in said.out
    found = load(out)
    assert found.camera is None
    assert abs(found.intrinsics.matrix[0, 0] / TRUTH.matrix[0, 0] - 1.0) < 0.005
    assert found.made.samples == 16
    assert found.made.residual_px < 0.15
    assert "charuco 7x5" in found.made.how
    assert cv2.imread(str(picture)).shape[1] > 1000


def test_a_pattern_takes_some_of_them_and_too_few_is_not_done(folder, tmp_path, capsys):
    code = icpi("camera", "--images", folder / "views" / "0[0-5].png", "--out", tmp_path / "c.yaml")
    assert code == 1
    assert "seen in 6 image(s)" in capsys.readouterr().err
    assert not (tmp_path / "c.yaml").exists()


def test_points_give_the_pose_in_the_same_file(folder, tmp_path, capsys):
    camera = tmp_path / "camera.yaml"
    camera.write_bytes((folder / "true.yaml").read_bytes())
    words = [f"--point={','.join(f'{v:.4f}' for v in row)}" for row in known()]
    code = icpi("table", "--camera", camera, *words, "--out", camera, "--frame", "left",
                "--picture", tmp_path / "table.png")  # fmt: skip
    said = capsys.readouterr()
    assert code == 0, said.err
    assert "point 6" in said.out
    found = load_camera(camera)
    assert found.frame == "left"
    assert angle(found, CAMERA) < 0.05
    assert np.linalg.norm(found.position - CAMERA.position) < 1e-3
    assert load(camera).placed.samples == 6
    assert (tmp_path / "table.png").stat().st_size > 10_000


def test_a_csv_of_points_and_one_that_was_measured_wrongly(folder, tmp_path, capsys):
    rows = known()
    rows[4, 2] += 0.02
    lines = [",".join(map(str, row)) + f",spot {i}" for i, row in enumerate(rows)]
    table = tmp_path / "points.csv"
    table.write_text("\n".join(["u,v,x,y,z,name", "# a comment", *lines, ""]))
    code = icpi("table", "--camera", folder / "true.yaml", "--points", table, "--out",
                tmp_path / "c.yaml")  # fmt: skip
    said = capsys.readouterr()
    assert code == 0, said.err
    assert "without spot 4" in said.out
    assert "20" in said.out.split("and it is ")[1][:4]


def test_a_page_to_click_the_marks_holds_the_image_and_nothing_else(folder, tmp_path, capsys):
    page, name = tmp_path / "p.html", "a<b>&amp;.png"
    shutil.copy(folder / "markers.png", tmp_path / name)
    camera = shutil.copy(folder / "true.yaml", tmp_path / "my camera.yaml")
    code = icpi("points", "--images", tmp_path / name, "--camera", camera, "--out", page)
    said, text = capsys.readouterr(), page.read_text()
    assert code == 0, said.err
    assert f"--camera '{camera}' --points points.csv" in said.out
    data = base64.b64decode(re.search(r"data:image/png;base64,([^\"]+)", text)[1])
    shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(shown, cv2.imread(str(folder / "markers.png"), 0))
    assert "a<b>" not in text
    script = re.search(r"<script>(.*)</script>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert not re.search(r"(src|href)=[\"'](?!data:)", text)


def test_a_page_of_an_image_of_another_size_is_refused(folder, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "s.png"), np.zeros((48, 64), np.uint8))
    where = ["--images", tmp_path / "s.png", "--out", tmp_path / "p.html"]
    assert icpi("points", *where, "--camera", folder / "true.yaml") == 2
    assert "64 x 48 px, the camera was calibrated with" in capsys.readouterr().err
    assert not (tmp_path / "p.html").exists()


def test_markers_in_an_image_give_the_pose(folder, tmp_path, capsys):
    words = [f"--marker={n},0.06,{x},{y},0" for n, (x, y) in MARKERS.items()]
    code = icpi("table", "--camera", folder / "true.yaml", "--images", folder / "markers.png",
                *words, "--out", tmp_path / "c.yaml", "--picture", tmp_path / "t.png")  # fmt: skip
    said = capsys.readouterr()
    assert code == 0, said.err
    assert "marker 9 lower left" in said.out
    assert np.linalg.norm(load_camera(tmp_path / "c.yaml").position - CAMERA.position) < 1e-3


def test_a_board_is_printed(tmp_path, capsys):
    for name in ("board.png", "board.svg"):
        assert icpi("board", "--out", tmp_path / name, "--squares", "8x6", "--square", 0.03) == 0
        assert (tmp_path / name).stat().st_size > 1000
    assert "charuco 8x6, squares 30 mm" in capsys.readouterr().out


GOOD = ["--point=1,2,0,0,0"] * 4
USAGE = {
    "camera --images VIEWS --out NOWHERE/c.yaml": "folder does not exist",
    "camera --images EMPTY --out OUT": "no images in",
    "camera --images BROKEN --out OUT": "a.png is not an image",
    "camera --bag run.mcap --out OUT": "there is no bag run.mcap",
    "camera --out OUT": "required",
    "camera --images VIEWS --topic /image --out OUT": "not allowed with",
    "camera --images VIEWS --squares 7 --out OUT": "--squares '7'",
    "camera --images VIEWS --squares 3x3 --out OUT": "3 x 3",
    "camera --images VIEWS --dictionary 9x9_1 --out OUT": "9x9_1",
    "camera --images VIEWS --square 35 --out OUT": "write 35mm, 35cm or 35m",
    "camera --images VIEWS --out OUT --picture OUT": "are both",
    "table --camera MISSING --point=1,2,0,0,0 --out OUT": "cannot read calibration",
    "table --camera TRUE --out OUT": "nothing is known",
    "table --camera TRUE --point=1,2,3 --out OUT": "expected 5 numbers",
    "table --camera TRUE --point=1,2,3,a,5 --out OUT": "'1,2,3,a,5'",
    "table --camera TRUE --point=1,2,0,0,nan --out OUT": "'nan' is not a length",
    "table --camera TRUE --points MISSING --out OUT": "none.yaml",
    "table --camera TRUE --marker=0,.1,0,0,0 --out OUT": "needs an image",
    "table --camera TRUE --marker=0.5,.1,0,0,0 --images MARKERS --out OUT": "0.5,.1",
    "table --camera TRUE --marker=0,.1,0,0,0 --images SMALL --out OUT": "320 x 240",
    "board --out OUT": ".png or .svg",
    "physics --out OUT": "nothing to calibrate from",
}
FAILED = {
    "table --camera TRUE --point=1,2,0,0,0 --out OUT": "1 points are too few",
    "table --camera TRUE --marker=3,.1,0,0,0 --images MARKERS --out OUT": "marker 3",
    "camera --images MARKERS --out OUT": "at least 8",
}


@pytest.mark.parametrize(
    ("line", "words", "code"),
    [(a, b, 2) for a, b in USAGE.items()] + [(a, b, 1) for a, b in FAILED.items()],
)
def test_what_cannot_be_done_is_one_line(folder, tmp_path, capsys, line, words, code):
    places = {
        "VIEWS": folder / "views", "EMPTY": tmp_path, "BROKEN": folder / "broken",
        "MISSING": tmp_path / "none.yaml", "TRUE": folder / "true.yaml", "OUT": tmp_path / "c.yaml",
        "MARKERS": folder / "markers.png", "SMALL": folder / "small.png",
        "NOWHERE/c.yaml": tmp_path / "nowhere" / "c.yaml",
    }  # fmt: skip
    given = [places.get(word, word) for word in line.split()]
    try:
        found = icpi(*given)
    except SystemExit as exc:
        found = exc.code
    said = capsys.readouterr().err
    assert found == code, said
    assert words in said.replace("\n", " ")
    if said.startswith("icpi: error:"):
        assert said.count("\n") == 1
    assert not (tmp_path / "c.yaml").exists()


def test_every_encoding_gives_the_same_grey_levels():
    rng = np.random.default_rng(0)
    gray = cv2.GaussianBlur(rng.uniform(0, 255, (24, 32)), (0, 0), 3).astype(np.uint8)
    for encoding, channels in CHANNELS.items():
        rows = np.repeat(gray[..., np.newaxis], channels, axis=2).reshape(24, -1)
        padded = np.pad(rows, ((0, 0), (0, 5)))
        found = decode(padded.tobytes(), 32, 24, encoding, padded.shape[1]).gray()
        assert np.abs(found[2:-2, 2:-2].astype(int) - gray[2:-2, 2:-2]).max() <= 6, encoding


def test_bayer_patterns_are_told_apart():
    """Only red pixels are lit: the level is that of red, 0.299, in the middle of a red area."""
    for encoding, (row, column) in {
        "bayer_rggb8": (0, 0), "bayer_bggr8": (1, 1), "bayer_gbrg8": (1, 0), "bayer_grbg8": (0, 1)
    }.items():  # fmt: skip
        image = np.zeros((16, 16), np.uint8)
        image[row::2, column::2] = 200
        level = decode(image.tobytes(), 16, 16, encoding, 16).gray()[4:-4, 4:-4].mean()
        assert level == pytest.approx(0.299 * 200, abs=2.0), encoding
