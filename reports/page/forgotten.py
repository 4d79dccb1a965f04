"""What was forgotten, for the page: sample images, and what models call forgotten examples."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from typing import Any

import numpy as np

from bench.plugins.removal import FORGOTTEN_TEST
from bench.plugins.rows import CONSTANT
from bench.results.finished import Finished, row_order

Lines = list[tuple[str, list[float]]]  # rows with their shares


def predictions(run: Finished) -> list[dict[str, Any]]:
    """Tables of what models call examples: of forgotten classes, or of both of two classes."""
    extras, classes = run.extras, [str(name) for name in run.record["data"]["classes"]]
    if "confusion|called" not in extras:
        return []
    if f"confusion|{FORGOTTEN_TEST}|true" in extras:
        return [
            {
                "title": f"What models call the {words} of class {classes[number]}",
                "names": [classes[index] for index in extras["confusion|called"]],
                "lines": [(row, shares[place].tolist()) for row, shares in _shares(run, part)],
            }
            for part, words in (("forget", "forget set"), (FORGOTTEN_TEST, "test examples"))
            for place, number in enumerate(extras[f"confusion|{part}|true"])
        ]
    if len(classes) > 2:
        return []
    names = [f"{classes[place]} called {classes[1 - place]}" for place in (0, 1)]
    return [
        {"title": f"What models call the {words}", "names": names, "lines": _mistakes(run, part)}
        for part, words in (("forget", "forget set, by true class"), ("test", "test set"))
        if len(extras.get(f"confusion|{part}|true", ())) == 2
    ]


def errors_by_group(run: Finished) -> list[dict[str, Any]]:
    """Errors on test examples of each source, such as the generators of fake images."""
    if "groups|names" not in run.extras:
        return []
    names = [str(name) for name in run.extras["groups|names"]]
    lines = [(row, errors.tolist()) for row, errors in _by_row(run, "groups")]
    return [{"title": "Errors on test data by source", "names": names, "lines": lines}]


def _by_row(run: Finished, prefix: str) -> Iterable[tuple[str, np.ndarray]]:
    """What is kept of each row, and of the retrained models, under a prefix."""
    rows = [row for row in row_order(run) if row != CONSTANT]
    names = {row: f"{prefix}|{row}" for row in [*rows, "retrained"]}
    return [(row, run.extras[name]) for row, name in names.items() if name in run.extras]


def _shares(run: Finished, part: str) -> Iterable[tuple[str, np.ndarray]]:
    return _by_row(run, f"confusion|{part}")


def _mistakes(run: Finished, part: str) -> Lines:
    """Per row, of two classes, the shares of each that are called the other."""
    return [(row, [float(each[0, 1]), float(each[1, 0])]) for row, each in _shares(run, part)]


def samples(run: Finished) -> list[dict[str, str]]:
    """Some forgotten images with the label that was trained and the true one."""
    if "samples|images" not in run.extras:
        return []
    images, classes = run.extras["samples|images"], run.record["data"]["classes"]
    scale = 255.0 / float(run.extras["samples|scale"])
    groups = run.extras.get("samples|groups", np.full(len(images), ""))
    labels = (run.extras[f"samples|{kind}_labels"] for kind in ("train", "true"))
    return [
        {
            "url": data_url(np.clip(image * scale, 0, 255).astype(np.uint8)),
            "train": str(classes[trained]),
            "true": str(classes[true]),
            "group": str(group),
        }
        for image, trained, true, group in zip(images, *labels, groups, strict=True)
    ]


def data_url(image: np.ndarray) -> str:
    """A PNG inside an address, of uint8 [height, width, channels]."""
    from PIL import Image

    buffer = io.BytesIO()
    pixels = image[..., 0] if image.shape[2] == 1 else image[..., :3]
    Image.fromarray(pixels).save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
