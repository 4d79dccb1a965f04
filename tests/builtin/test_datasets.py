"""Data sets read from files: shapes, counts, one-line errors."""

from __future__ import annotations

import gzip
import pickle
import struct

import numpy as np
import pytest
from PIL import Image

from bench.checks.others import check_dataset
from bench.config.folders import data_home, places
from bench.config.load import load_config
from bench.engine.graph import open_context
from bench.errors import UserError
from bench.plugins.registry import Registry
from tests.helpers.pictures import picture

REGISTRY = Registry()


def load(text, home=None):
    with places(home and str(home)):
        return REGISTRY.resolve("datasets", text)()


# MNIST and its like -------------------------------------------------------------------------------


def write_idx(path, array, packed):
    content = struct.pack(f">xxBB{array.ndim}I", 8, array.ndim, *array.shape) + array.tobytes()
    path = path.with_name(path.name + ".gz") if packed else path
    path.write_bytes(gzip.compress(content) if packed else content)


@pytest.fixture(params=[True, False], ids=["packed", "plain"])
def idx_home(request, tmp_path):
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, count in (("train", 30), ("t10k", 10)):
        images = rng.integers(256, size=(count, 28, 28), dtype=np.uint8)
        write_idx(raw / f"{part}-images-idx3-ubyte", images, request.param)
        labels = np.arange(count, dtype=np.uint8) % 10
        write_idx(raw / f"{part}-labels-idx1-ubyte", labels, request.param)
    return tmp_path


def test_fashion_mnist_is_read_packed_or_not(idx_home):
    data = load("fashion-mnist", idx_home)
    assert data.images.shape == (40, 28, 28, 1)
    assert data.test.tolist() == list(range(30, 40))
    assert data.classes[9] == "boot"
    with places(str(idx_home)):
        check_dataset(REGISTRY.resolve("datasets", "fashion-mnist"))


def test_what_is_missing_or_damaged_is_one_line(idx_home):
    with pytest.raises(UserError, match=r"mnist: no .*MNIST/raw/train-images.*--download"):
        load("mnist", idx_home)
    for path in (idx_home / "FashionMNIST" / "raw").glob("train-images*"):
        path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UserError, match=r"train-images.* cannot be read as a file of fash"):
        load("fashion-mnist", idx_home)


@pytest.mark.parametrize(
    ("part", "content", "words"),
    [
        ("images-idx3", struct.pack(">xxBB3I", 8, 3, 30, 28, 28) + bytes(9), "but 9 follow"),
        ("images-idx3", struct.pack(">xxBB3I", 8, 3, 1, 2, 2) + bytes(9), "but more follow"),
        ("images-idx3", struct.pack(">xxBB3I", 8, 3, *[2**32 - 1] * 3), "would unpack to 79,228,"),
        ("images-idx3", struct.pack(">xxBB3I", 9, 3, 1, 2, 2), "expected bytes in 3 dimensions"),
        ("images-idx3", struct.pack(">xxBB3I", 8, 3, 30, 9, 9) + bytes(2430), "differ in shape"),
        ("labels-idx1", struct.pack(">xxBBI", 8, 1, 7) + bytes(7), "30 images but 7 labels"),
        ("labels-idx1", b"", "unpack requires"),
    ],
)
def test_a_header_that_lies_is_one_line(idx_home, part, content, words):
    for path in (idx_home / "FashionMNIST" / "raw").glob(f"train-{part}*"):
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    with pytest.raises(UserError, match=words) as caught:
        load("fashion-mnist", idx_home)
    assert "\n" not in str(caught.value)


def test_the_data_folder_is_the_flags_then_the_variables_then_the_default(monkeypatch):
    monkeypatch.setenv("BENCH_DATA_DIR", "/variable")
    assert str(data_home()) == "/variable"
    with places("/flag"):
        assert str(data_home()) == "/flag"
    monkeypatch.delenv("BENCH_DATA_DIR")
    assert str(data_home()) == "bench-data"


# CIFAR and Tiny-ImageNet --------------------------------------------------------------------------


def write_cifar(path, count, key, seed):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(256, size=(count, 3072), dtype=np.uint8)
    content = {b"data": pixels, key: [number % 4 for number in range(count)]}
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))
    return pixels


def test_cifar_is_read_from_its_own_files(tmp_path):
    ten, hundred = tmp_path / "cifar-10-batches-py", tmp_path / "cifar-100-python"
    for number in range(1, 6):
        pixels = write_cifar(ten / f"data_batch_{number}", 8, b"labels", number)
    write_cifar(ten / "test_batch", 4, b"labels", 9)
    names = [b"plane", b"car", b"bird", b"cat"]
    (ten / "batches.meta").write_bytes(pickle.dumps({b"label_names": names}))
    write_cifar(hundred / "train", 8, b"fine_labels", 1)
    write_cifar(hundred / "test", 4, b"fine_labels", 2)
    (hundred / "meta").write_bytes(pickle.dumps({b"fine_label_names": names}))
    data = load("cifar10", tmp_path)
    assert data.images.shape == (44, 32, 32, 3)
    assert data.images[32, 2, 5, 1] == pixels[0, 1024 + 2 * 32 + 5]
    assert data.test.tolist() == [40, 41, 42, 43]
    assert data.classes == ("plane", "car", "bird", "cat")
    assert load("cifar100", tmp_path).labels.tolist() == [0, 1, 2, 3] * 3


class Trap:
    def __reduce__(self):
        return (print, ("executed",))


def test_a_pickle_that_names_a_function_is_refused_and_runs_nothing(tmp_path, capsys):
    with pytest.raises(UserError, match=r"cifar10: no .*data_batch_1.*--download"):
        load("cifar10", tmp_path)
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py" / "data_batch_1").write_bytes(pickle.dumps({b"data": Trap()}))
    with pytest.raises(UserError, match=r"names builtins.print, which no array needs"):
        load("cifar10", tmp_path)
    assert "executed" not in capsys.readouterr().out


def test_tiny_imagenet(tmp_path):
    root = tmp_path / "tiny-imagenet-200"
    for label, name in enumerate(("n01", "n02")):
        for number in range(3):
            jpeg(root / "train" / name / "images" / f"{name}_{number}.JPEG", 100 * label)
        jpeg(root / "val" / "images" / f"val_{label}.JPEG", 100 * label)
    jpeg(root / "train" / "n01" / "images" / "grey.JPEG", 50, "L")
    (root / "wnids.txt").write_text("n01\nn02\n")
    lines = ["val_1.JPEG\tn02\t0\t0\t9\t9", "val_0.JPEG\tn01\t0\t0\t9\t9"]
    (root / "val" / "val_annotations.txt").write_text("\n".join(lines))
    data = load("tiny-imagenet", tmp_path)
    assert data.labels.tolist() == [0] * 4 + [1] * 3 + [0, 1]
    assert data.test.tolist() == [7, 8]
    assert data.images[[7, 8], 30, 30, 0].tolist() == [0, 100]
    assert data.note == "1 images were converted to RGB"
    with pytest.raises(UserError, match=r"no .*wnids.txt"):
        load("tiny-imagenet", root)


def jpeg(path, value, mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((64, 64, 3), value, np.uint8)).convert(mode).save(path, quality=100)


# A folder for each class --------------------------------------------------------------------------


def test_a_folder_per_class(tmp_path):
    for number, name in enumerate(("cat", "dog", "emu")):
        for image in range(4):
            picture(tmp_path / name / "sub" / f"{image}.png", 40 * number + image, side=20)
    (tmp_path / "notes").mkdir()
    data = load(f"folder:{tmp_path}[side=10]")
    assert data.classes == ("cat", "dog", "emu")
    assert data.images.shape == (12, 10, 10, 3)
    assert data.images[:, 5, 5, 0].tolist() == [40 * n + i for n in range(3) for i in range(4)]
    assert data.test is None


def test_a_folder_with_its_own_parts_keeps_them(tmp_path):
    for part in ("train", "val", "test"):
        for name in ("a", "b"):
            picture(tmp_path / part / name / "0.png", side=8)
    data = load(f"folder:{tmp_path}[side=8]")
    assert (data.validation.tolist(), data.test.tolist()) == ([2, 3], [4, 5])
    picture(tmp_path / "test" / "c" / "0.png", side=8)
    with pytest.raises(UserError, match="test has a class 'c' without training"):
        load(f"folder:{tmp_path}")


@pytest.mark.parametrize("other", ["val", "validation", "test"])
def test_train_beside_one_other_part_is_not_a_class(tmp_path, other):
    for part in ("train", other):
        for name in ("a", "b"):
            picture(tmp_path / part / name / "0.png", side=8)
    data = load(f"folder:{tmp_path}[side=8]")
    assert data.classes == ("a", "b")
    assert (data.test is None) == (other != "test")
    assert (data.validation is None) == (other == "test")


def test_scaling_keeps_the_shape_of_things(tmp_path):
    """A wide image loses its sides, not its proportions."""
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, 10:20] = 200
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / "0.png")
    data = load(f"folder:{tmp_path}[side=20]")
    assert data.images.shape == (2, 20, 20, 3)
    assert (data.images[:, 5:15, 5:15] > 150).all()


@pytest.mark.parametrize("broken", ["stop", "skip"])
def test_bad_files_of_a_folder_stop_it_or_are_left_out(tmp_path, broken):
    for name in ("a", "b"):
        picture(tmp_path / name / "0.png", side=8)
    (tmp_path / "b" / "1.png").write_bytes(b"no image")
    text = f"folder:{tmp_path}[side=8,broken={broken}]"
    if broken == "skip":
        assert len(load(text).labels) == 2
    else:
        with pytest.raises(UserError, match=r"1 of 3 images(.|\n)*1\.png: unreadable"):
            load(text)


def test_a_folder_that_is_none_is_one_line(tmp_path):
    for path, words in ((tmp_path / "absent", "no such folder"), (tmp_path, "expected .*<class>")):
        with pytest.raises(UserError, match=words):
            load(f"folder:{path}")


# Fixed validation sets ----------------------------------------------------------------------------


def test_a_fixed_validation_set_is_kept(tmp_path):
    context = open_context(load_config({"dataset": "truefake-mini", "out": str(tmp_path)}))
    split, data = context.split, context.data
    assert split.validation.tolist() == data.validation.tolist()
    assert split.test.tolist() == data.test.tolist()
    assert len(split.train) == 800
