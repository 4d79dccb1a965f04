"""Subject removal: all images of some people (or other subjects) are forgotten.

The unlearning competition of NeurIPS 2023 forgets people, about 2 % of its images; MUFAC (Choi and
Na, 2023) forgets families. Subjects are drawn until ``fraction`` of the training images, or
``count`` subjects, are taken; ``draw`` numbers the draws. Images that are equal byte for byte stay
on one side: subjects that share one are forgotten or kept together, and the run says how many.
"""

from __future__ import annotations

import numpy as np

from bench.config.limits import Count, Natural, OpenFraction
from bench.errors import UserError
from bench.plugins.scenario import ForgetRequest, TrainingSet, rng_of_draw

VERSION = 2
NAME = "subject"
ALONE = {"count": ("fraction",)}


def subject_removal(
    training: TrainingSet,
    rng: np.random.Generator,
    *,
    fraction: OpenFraction = 0.1,
    count: Count | None = None,
    draw: Natural = 0,
) -> ForgetRequest:
    subjects, copies = training.subjects, training.copies
    if subjects is None or copies is None:
        raise UserError("subject needs a data set that says who its images show, such as mufac")
    units = together(subjects, copies)
    order = rng_of_draw(rng, draw).permutation(units.max() + 1)
    sizes = np.bincount(units)[order]
    if count is None:
        wanted = int(np.searchsorted(sizes.cumsum(), fraction * len(units))) + 1
    else:
        people = np.array([len(np.unique(subjects[units == unit])) for unit in order])
        wanted = int(np.searchsorted(people.cumsum(), count)) + 1
    forget = np.isin(units, order[:wanted])
    if forget.all():
        raise UserError(
            f"subject takes all {len(forget)} training images: choose a smaller fraction or count"
        )
    note = _note(subjects, units, forget)
    return ForgetRequest(forget, training.labels.copy(), "removal", note)


def together(subjects: np.ndarray, copies: np.ndarray) -> np.ndarray:
    """The unit of each image, int64 [n]; subjects that share an image form one unit."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, person = np.unique(subjects, return_inverse=True)
    size = person.max() + 1 + copies.max() + 1
    links = coo_array((np.ones(len(person)), (person, person.max() + 1 + copies)), (size, size))
    return np.unique(connected_components(links, directed=False)[1][person], return_inverse=True)[1]


def _note(subjects: np.ndarray, units: np.ndarray, forget: np.ndarray) -> str:
    people, taken = (len(np.unique(part)) for part in (subjects, subjects[forget]))
    joined = people - (units.max() + 1)
    shared = f"; {joined} subjects were joined to another that shares an image" if joined else ""
    return f"{taken} of {people} subjects forgotten{shared}"
