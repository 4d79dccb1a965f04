"""Image files: colours, orientation, files that lie or are broken, and changes that count."""

from __future__ import annotations

import os
import shutil
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from bench.builtin.datasets.truefake import truefake
from bench.config.folders import places
from bench.data import decoding
from bench.data.colours import Kind
from bench.data.decoding import decode_centres, load_centres
from bench.data.image_files import ImageFiles, content_digests
from bench.errors import UserError
from tests.helpers.pictures import picture


def decoded(path, side=8):
    """The pixels of one file, and what is unusual about it."""
    pixels, faults = decode_centres([str(path)], side, 1, scale=True)
    return pixels[0], faults.get(0, [])


# Colours ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_every_sixteen_bit_grey_becomes_the_nearest_of_eight_bits(tmp_path, ending):
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(values).save(tmp_path / f"all.{ending}")
    pixels, remarks = decoded(tmp_path / f"all.{ending}", 256)
    assert np.array_equal(pixels[..., 0], np.rint(values / 257))
    assert [kind for kind, _text in remarks] == [Kind.OTHER_COLOURS]


@pytest.mark.parametrize("values", [np.int32, np.float32])
def test_grey_without_a_known_white_is_refused_with_the_reason(tmp_path, values):
    Image.fromarray(np.full((8, 8), 70_000, values)).save(tmp_path / "wide.tif")
    _pixels, remarks = decoded(tmp_path / "wide.tif")
    assert remarks[0].kind == Kind.LOST
    assert "nothing says which number is white" in remarks[0].text


@pytest.mark.parametrize("ending", ["png", "webp", "tif"])
def test_transparent_pixels_are_laid_on_white(tmp_path, ending):
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, 4:, 3] = 255
    Image.fromarray(pixels).save(tmp_path / f"glass.{ending}", lossless=True)
    seen, remarks = decoded(tmp_path / f"glass.{ending}")
    assert (seen[:, :4] == 255).all()
    assert (seen[:, 4:] == 0).all()
    assert remarks[0].kind == Kind.OTHER_COLOURS
    pixels[..., 3] = 255
    Image.fromarray(pixels).save(tmp_path / "opaque.png")
    assert decoded(tmp_path / "opaque.png")[1][0].kind == Kind.SAME_COLOURS


def test_a_colour_that_stands_for_nothing_is_laid_on_white(tmp_path):
    Image.new("RGB", (8, 8), (1, 2, 3)).save(tmp_path / "keyed.png", transparency=(1, 2, 3))
    seen, remarks = decoded(tmp_path / "keyed.png")
    assert (seen == 255).all()
    assert remarks[0].kind == Kind.OTHER_COLOURS
    image = Image.new("P", (8, 8), 3)
    image.putpalette(bytes(range(30)))
    image.save(tmp_path / "palette.png", transparency=3)
    assert (decoded(tmp_path / "palette.png")[0] == 255).all()


def test_ink_becomes_light(tmp_path):
    for ending in ("jpg", "tif"):
        Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / f"red.{ending}")
        seen = decoded(tmp_path / f"red.{ending}")[0].astype(int)
        assert (np.abs(seen - [255, 0, 0]) < 8).all()


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_tag_is_followed(tmp_path, orientation, ending):
    upright = np.zeros((16, 16, 3), np.uint8)
    upright[:8, :8], upright[8:, :8] = 255, 128  # no turn and no mirror looks the same
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = tmp_path / f"photo.{ending}"
    Image.fromarray(np.ascontiguousarray(stored)).save(file, quality=100, exif=exif)
    seen, remarks = decoded(file, 16)
    assert np.abs(seen.astype(int) - upright).max() < 12
    assert [kind for kind, _text in remarks] == ([Kind.TURNED] if orientation > 1 else [])


def test_damaged_orientation_data_leave_the_image_as_it_is_stored(tmp_path):
    picture(tmp_path / "plain.jpg", 90)
    for exif in (b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + b"\xff" * 40, b"Exif\0\0"):
        Image.new("RGB", (8, 8), (90, 90, 90)).save(tmp_path / "odd.jpg", exif=exif)
        seen, remarks = decoded(tmp_path / "odd.jpg")
        assert (seen == 90).all()
        assert remarks == []


@pytest.mark.parametrize("ending", ["gif", "tif", "png", "webp"])
def test_of_several_frames_the_first_is_taken(tmp_path, ending):
    frames = [Image.new("RGB", (8, 8), (value,) * 3) for value in (200, 100, 0)]
    file = tmp_path / f"film.{ending}"
    frames[0].save(file, save_all=True, append_images=frames[1:], lossless=True)
    seen, remarks = decoded(file)
    assert (seen == 200).all()
    assert remarks[0].kind == Kind.FIRST_FRAME


# Files that lie or are broken ---------------------------------------------------------------------


def claim(path, width, height):
    """A PNG of a few bytes whose header claims a size."""
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b""))
    parts = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize(
    ("width", "height"), [(1_000_000, 1_000_000), (1_000_000, 100), (9_000, 9_000), (2**31 - 1, 1)]
)
def test_a_header_that_claims_a_huge_image_is_refused_unread(tmp_path, width, height, scale):
    claim(tmp_path / "huge.png", width, height)
    pixels, faults = decode_centres([str(tmp_path / "huge.png")], 8, 1, scale=scale)
    assert not pixels.any()
    assert faults[0][0].kind == Kind.LOST
    assert "pixels" in faults[0][0].text


def test_a_long_line_is_not_blown_up(tmp_path):
    Image.new("RGB", (60_000, 1)).save(tmp_path / "line.png")
    assert (
        "3840000 x 64 pixels, more than 72,000,000" in decoded(tmp_path / "line.png", 64)[1][0].text
    )
    assert decoded(tmp_path / "line.png", 8)[1] == []


def test_a_jpeg_of_endless_scans_is_refused(tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "scans.jpg", progressive=True)
    content = (tmp_path / "scans.jpg").read_bytes()
    last = content[content.rfind(b"\xff\xda") : -2]
    (tmp_path / "scans.jpg").write_bytes(content[:-2] + 500 * last + content[-2:])
    assert "a progressive JPEG of 510 scans" in decoded(tmp_path / "scans.jpg")[1][0].text


def test_no_other_program_is_started_for_an_image(tmp_path, monkeypatch):
    monkeypatch.setattr("subprocess.Popen", None)
    text = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    (tmp_path / "script.png").write_bytes(text)
    assert "UnidentifiedImageError" in decoded(tmp_path / "script.png")[1][0].text


def test_whatever_a_damaged_file_makes_pillow_raise_is_a_remark(tmp_path):
    rng = np.random.default_rng(0)
    kinds = ("png", "jpg", "gif", "bmp", "webp", "tif", "ppm", "tga", "jp2", "qoi")
    for ending in kinds:
        picture(tmp_path / f"whole.{ending}", 80)
    for number in range(600):
        file = tmp_path / f"whole.{kinds[number % len(kinds)]}"
        content = bytearray(file.read_bytes())
        for place in rng.integers(0, len(content), 4):
            content[place] = rng.integers(256)
        damaged = tmp_path / f"damaged{file.suffix}"
        damaged.write_bytes(content[: rng.integers(1, 2 * len(content))])
        assert all(text for _kind, text in decoded(damaged)[1])


def test_an_image_that_is_lost_after_the_check_is_one_line(tmp_path):
    picture(tmp_path / "0.png")
    files = ImageFiles([str(tmp_path / "0.png")], 8)
    (tmp_path / "0.png").write_bytes(b"")
    for read in (files.__getitem__, files.whole):
        with pytest.raises(UserError, match=r"0\.png cannot be read as an image: Unidentified"):
            read(0)
    (tmp_path / "0.png").unlink()
    with pytest.raises(UserError, match=r"0\.png cannot be read as an image file: FileNotFound"):
        content_digests(files.paths.tolist())


# Changes ------------------------------------------------------------------------------------------


def plant_tree(root):
    for number in range(3):
        for value, kind in enumerate(("Real/FFHQ", "Fake/StyleGAN2/a")):
            picture(root / "PreSocial" / kind / f"{number:05d}.png", 40 + value, side=8)


def fingerprint(home, kept=None):
    with places(str(home), kept):
        return truefake(real="ffhq", fake="gan2", side=8, memory="demand").fingerprint


@pytest.mark.parametrize("keep", [False, True])
def test_pixels_that_change_at_equal_size_are_noticed(tmp_path, keep):
    plant_tree(tmp_path / "home")
    kept = tmp_path / "kept" if keep else None
    before = fingerprint(tmp_path / "home", kept)
    assert fingerprint(tmp_path / "home", kept) == before
    file = tmp_path / "home" / "PreSocial" / "Real" / "FFHQ" / "00001.png"
    state, whole = os.stat(file), file.read_bytes()
    picture(file, 60, side=8)
    assert file.stat().st_size == state.st_size
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert fingerprint(tmp_path / "home", kept) != before
    file.write_bytes(whole)
    assert fingerprint(tmp_path / "home", kept) == before


def test_neither_the_place_nor_the_time_of_files_counts(tmp_path):
    plant_tree(tmp_path / "home")
    before = fingerprint(tmp_path / "home", tmp_path / "kept")
    shutil.copytree(tmp_path / "home", tmp_path / "deep" / "er")
    for folder, _folders, names in os.walk(tmp_path / "home"):
        for name in names:
            os.utime(os.path.join(folder, name), (1, 1))
    assert fingerprint(tmp_path / "home", tmp_path / "kept") == before
    assert fingerprint(tmp_path / "deep" / "er", tmp_path / "kept") == before


def test_what_files_hold_is_read_once_and_a_damaged_memory_again(tmp_path, monkeypatch, caplog):
    plant_tree(tmp_path / "home")
    before = fingerprint(tmp_path / "home", tmp_path / "kept")
    with monkeypatch.context() as patch:
        patch.setattr("bench.data.file_state.content_digests", None)
        assert fingerprint(tmp_path / "home", tmp_path / "kept") == before
    for file in (tmp_path / "kept").iterdir():
        content = bytearray(file.read_bytes())
        content[-6] ^= 1
        file.write_bytes(content)
    assert fingerprint(tmp_path / "home", tmp_path / "kept") == before


def test_kept_pixels_come_with_what_was_said_about_them(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "MANY", 2)
    exif = Image.Exif()
    exif[0x0112] = 3
    for number in range(3):
        image = Image.new("L" if number else "RGB", (8, 8), 70)
        image.save(tmp_path / f"{number}.png", **({} if number else {"exif": exif}))
    paths = [str(tmp_path / f"{number}.png") for number in range(3)]
    first = load_centres(paths, 8, tmp_path / "kept")
    monkeypatch.setattr(decoding, "decode_centres", None)
    again = load_centres(paths, 8, tmp_path / "kept")
    assert np.array_equal(first[0], again[0])
    assert first[1] == again[1]
    assert [kind for kind, _text in again[1][0]] == [Kind.TURNED]
