"""What a detector answers with, and what it still takes for its target."""

from __future__ import annotations

from dataclasses import dataclass

from icpi_ros.types import Array


@dataclass(frozen=True)
class DetectorSettings:
    """What still counts as the target.

    Attributes:
        least_area: seen area over expected area; less is hidden too far or another object.
        most_area: more is another object, or one that touches it.
        least_circularity: of the blob; a long one is another object or far too blurred.
        least_score: overlap with the expected outline.
        std: of the centroid of a whole, sharp object [px].
        most_candidates: blobs that get a fine look, largest first.
    """

    least_area: float = 0.35
    most_area: float = 1.7
    least_circularity: float = 0.6
    least_score: float = 0.35
    std: float = 0.05
    most_candidates: int = 6


@dataclass(frozen=True)
class Detection:
    """A place in an image that looks like the target.

    Attributes:
        pixel: ``(2,)`` where the target's centre projects to (not the blob's centroid).
        area: seen [px].
        circularity: 1 for a disc, less for long or hollow blobs.
        score: overlap of blob and expected outline, 0 to 1.
        std: standard deviation of each coordinate of ``pixel`` [px].
    """

    pixel: Array
    area: float
    circularity: float
    score: float
    std: float
