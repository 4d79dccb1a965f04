"""What was forgotten, for the page: sample images, and what models call forgotten examples."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.plugins.removal import FORGOTTEN_TEST
from bench.reports.table import row_order

if TYPE_CHECKING:
    from bench.results.run import Run


def called(run: Run) -> list[dict[str, Any]]:
    """What models call examples: of the forgotten classes where whole ones are; of both of two."""
    extras, classes = run.extras, [str(name) for name in run.record["data"]["classes"]]
    if "confusion|called" not in extras:
        return []
    said = extras["confusion|called"]
    if f"confusion|{FORGOTTEN_TEST}|true" in extras:
        return [
            {
                "title": f"What models call the {words} of class {classes[number]}",
                "names": [classes[index] for index in said],
                "lines": _shares(run, part, place),
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


def by_group(run: Run) -> list[dict[str, Any]]:
    """Errors on test examples of each source, such as the generators of fake images."""
    names = [str(name) for name in run.extras.get("groups|names", ())]
    rows = [row for row in [*row_order(run)[:-1], "retrained"] if f"groups|{row}" in run.extras]
    lines = [(row, run.extras[f"groups|{row}"].tolist()) for row in rows]
    return [{"title": "Errors on test data by source", "names": names, "lines": lines}] * bool(rows)


def _rows_of(run: Run, part: str) -> list[str]:
    rows = [row for row in row_order(run) if row != "constant"]
    return [row for row in [*rows, "retrained"] if f"confusion|{part}|{row}" in run.extras]


def _shares(run: Run, part: str, place: int) -> list[tuple[str, list[float]]]:
    """Per row the shares of what it calls the class at ``place``."""
    rows = _rows_of(run, part)
    return [(row, run.extras[f"confusion|{part}|{row}"][place].tolist()) for row in rows]


def _mistakes(run: Run, part: str) -> list[tuple[str, list[float]]]:
    """Per row, of two classes, the shares of each that are called the other."""
    rows = _rows_of(run, part)
    found = [(row, run.extras[f"confusion|{part}|{row}"]) for row in rows]
    return [(row, [float(shares[0, 1]), float(shares[1, 0])]) for row, shares in found]


def samples(run: Run) -> list[dict[str, str]]:
    """Some forgotten images with the label that was trained and the true one."""
    if "samples|images" not in run.extras:
        return []
    images, classes = run.extras["samples|images"], run.record["data"]["classes"]
    scale = 255.0 / float(run.extras["samples|scale"])
    groups = run.extras.get("samples|groups", [""] * len(images))
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
