"""Tracker of one object from image to image: a Kalman filter on its plane, behind a gate.

Constant velocity with white acceleration (Bar-Shalom et al., 2001, section 6.2.2).  A state is
only ever given for a frame in which the object was seen; in between there is no position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot

import numpy as np

from icpi_ros.core.types import SECOND, Array
from icpi_ros.perception.camera import Camera
from icpi_ros.perception.tracking_types import (
    Detection,
    Rejection,
    TrackerSettings,
    TrackState,
    unseen,
)
from icpi_ros.tasks.plane import Plane


@dataclass(frozen=True)
class PlaneDetection:
    """A detection on the plane: ``point`` ``(2,)`` [m], ``covariance`` ``(2, 2)`` [m^2]."""

    detection: Detection
    point: Array
    covariance: Array


@dataclass(frozen=True)
class Track:
    """Filter state ``(4,)`` [m, m/s] and covariance ``(4, 4)`` at ``stamp`` [ns].

    Constant velocity with white acceleration (Bar-Shalom et al., 2001, section 6.2.2).
    """

    state: Array
    covariance: Array
    stamp: int
    metres_per_pixel: float

    def at(self, stamp: int, power: float) -> tuple[Array, Array]:
        """Return state and covariance predicted for ``stamp`` [ns]; ``power`` in [m^2/s^3]."""
        dt = (stamp - self.stamp) / SECOND
        step, noise = _STEP.copy(), _NOISE.copy()
        step[0, 2] = step[1, 3] = dt
        noise[0, 0] = noise[1, 1] = power * dt**3 / 3.0
        noise[0, 2] = noise[1, 3] = noise[2, 0] = noise[3, 1] = 0.5 * power * dt * dt
        noise[2, 2] = noise[3, 3] = power * dt
        return step @ self.state, step @ self.covariance @ step.T + noise


def inverse(m: Array) -> Array:
    """Return the inverse of a ``(2, 2)``; three times as fast as numpy's."""
    (a, b), (c, d) = m.tolist()
    scale = 1.0 / (a * d - b * c)
    return np.array([[d * scale, -b * scale], [-c * scale, a * scale]])


class Tracker:
    """Tracker of one object, whose centre lies on a plane; not thread-safe."""

    def __init__(
        self, camera: Camera, plane: Plane, settings: TrackerSettings | None = None
    ) -> None:
        self.camera, self.plane = camera, plane
        self.settings = settings or TrackerSettings()
        self._newest: int | None = None
        self.reset()

    def reset(self, near: Array | None = None) -> None:
        """Drop the track, for example because the scene was reset.

        Args:
            near: ``(3,)`` where the object is expected [m]; decides between equal candidates.
        """
        self._track: Track | None = None
        self._last: tuple[int, Array] | None = None
        self._others: list[tuple[Array, int]] = []
        self._predicted: tuple[int, int, tuple[Array, Array]] | None = None
        self._near = None if near is None else self.plane.flat(near)

    def expected(self, stamp_ns: int) -> tuple[Array, float] | None:
        """Return pixel ``(2,)`` and reach [px] to search at ``stamp_ns`` [ns]; None = all."""
        track, limits = self._track, self.settings
        if track is None or not 0 < stamp_ns - track.stamp <= limits.lost_after * SECOND:
            return None
        state, ahead = self._ahead(stamp_ns)
        reach = limits.gate * float(np.sqrt(max(ahead[0, 0], ahead[1, 1])))
        pixel = self.camera.project(self.plane.lift(state[:2])[np.newaxis])[0]
        if not np.isfinite(pixel).all():
            return None
        return pixel, reach / track.metres_per_pixel

    def check(self, stamp_ns: int, now_ns: int | None = None) -> Rejection:
        """Return why a frame cannot be used; without ``now_ns`` [ns] none is from the future."""
        limits, newest = self.settings, self._newest
        if now_ns is not None and stamp_ns > now_ns + limits.ahead * SECOND:
            return Rejection.FUTURE
        if newest is not None and stamp_ns <= newest:
            if newest - stamp_ns <= limits.restart * SECOND:
                return Rejection.ORDER
            self.reset()
            self._newest = stamp_ns
            return Rejection.CLOCK
        return Rejection.NO

    def update(
        self, stamp_ns: int, detections: Sequence[Detection], now_ns: int | None = None
    ) -> TrackState:
        """Take a frame's detections, best first; see :meth:`check` for the stamps."""
        why = self.check(stamp_ns, now_ns)
        if why is not Rejection.NO:
            return unseen(stamp_ns, why)
        unbroken = self._track is not None and self._track.stamp == self._newest
        self._newest = stamp_ns
        seen = [s for s in map(self._on_plane, detections) if s is not None]
        if self._track and stamp_ns - self._track.stamp > self.settings.lost_after * SECOND:
            self._track = None
        if not seen:
            return unseen(stamp_ns, Rejection.NOTHING)
        if self._track is None:
            return self._start(stamp_ns, seen)
        return self._follow(stamp_ns, seen, unbroken)

    def _on_plane(self, detection: Detection) -> PlaneDetection | None:
        pixels = detection.pixel + _STENCIL
        points = self.camera.on_plane(pixels, self.plane.normal, self.plane.offset)
        flat = self.plane.flat(points)
        slope = (flat[1:] - flat[0]).T
        covariance = detection.std**2 * (slope @ slope.T)
        if not np.isfinite(flat).all():
            return None
        return PlaneDetection(detection, flat[0], covariance)

    def _start(self, stamp: int, seen: list[PlaneDetection]) -> TrackState:
        """Begin or resume a track with the best candidate, if it is clear which one that is."""
        limits = self.settings
        fresh = [s for s in seen if not self._is_other(s.point)]
        good = [s for s in fresh if s.detection.score >= limits.acquire_score]
        if not good:
            return unseen(stamp, Rejection.DOUBTFUL)
        if self._last is not None:
            then, where = self._last
            reach = limits.max_speed * (stamp - then) / SECOND + limits.separation
            good = [s for s in good if _length(s.point - where) <= reach]
            if not good:
                return unseen(stamp, Rejection.JUMP)
        if self._near is not None:
            near = self._near
            good.sort(key=lambda s: _length(s.point - near))
        elif len(good) > 1 and _lead(good) < limits.clear_by:
            return unseen(stamp, Rejection.AMBIGUOUS)
        best = good[0]
        covariance = np.zeros((4, 4))
        covariance[:2, :2] = best.covariance
        covariance[2:, 2:] = limits.max_speed**2 / 4.0 * np.eye(2)
        state = np.concatenate([best.point, np.zeros(2)])
        return self._accept(stamp, best, state, covariance, seen)

    def _follow(self, stamp: int, seen: list[PlaneDetection], unbroken: bool) -> TrackState:
        """Update the track with the nearest candidate inside the gate."""
        limits, track = self.settings, self._track
        assert track is not None
        state, ahead = self._ahead(stamp)
        gap = (stamp - track.stamp) / SECOND
        # In an unbroken track the gate is narrow, and a look-alike may since have gone away.
        fresh = [s for s in seen if unbroken or not self._is_other(s.point)]
        gated = []
        for s in fresh:
            off = s.point - state[:2]
            inside = float(off @ inverse(ahead[:2, :2] + s.covariance) @ off)
            moved = _length(s.point - track.state[:2])
            slack = limits.max_speed * gap + limits.gate * float(np.sqrt(s.covariance.trace()))
            if inside <= limits.gate**2 and moved <= slack:
                gated.append((inside, s))
        if not gated:
            return unseen(stamp, Rejection.JUMP)
        if gap > limits.doubt_after:
            gated = [g for g in gated if g[1].detection.score >= limits.acquire_score]
            if not gated:
                return unseen(stamp, Rejection.DOUBTFUL)
        best = min(gated, key=lambda g: g[0])[1]
        gain = ahead[:, :2] @ inverse(ahead[:2, :2] + best.covariance)
        state = state + gain @ (best.point - state[:2])
        covariance = ahead - gain @ ahead[:2]
        return self._accept(stamp, best, state, 0.5 * (covariance + covariance.T), seen)

    def _accept(
        self,
        stamp: int,
        best: PlaneDetection,
        state: Array,
        covariance: Array,
        seen: list[PlaneDetection],
    ) -> TrackState:
        std = float(np.sqrt(0.5 * best.covariance.trace()))
        self._track = Track(state, covariance, stamp, std / best.detection.std)
        self._last, self._near = (stamp, best.point), None
        self._remember_others(stamp, best, seen)
        velocity = state[2:] @ self.plane.axes
        return TrackState(
            stamp,
            self.plane.lift(state[:2]),
            velocity,
            covariance,
            True,
            Rejection.NO,
            best.detection,
            best.point,
            std,
        )

    def _ahead(self, stamp: int) -> tuple[Array, Array]:
        """Return the track's prediction for ``stamp``; once per frame, it is asked for twice."""
        track = self._track
        assert track is not None
        if self._predicted is None or self._predicted[:2] != (stamp, track.stamp):
            self._predicted = (stamp, track.stamp, track.at(stamp, self.settings.power))
        return self._predicted[2]

    def _is_other(self, point: Array) -> bool:
        limit = 0.5 * self.settings.separation
        return any(_length(point - other) < limit for other, _ in self._others)

    def _remember_others(
        self, stamp: int, best: PlaneDetection, seen: list[PlaneDetection]
    ) -> None:
        """Keep where look-alikes stand while the object is seen elsewhere; they are not it.

        One that is not seen again is forgotten, or the object could never be put in its place.
        """
        apart, oldest = self.settings.separation, stamp - self.settings.forget_after * SECOND
        now = [s.point for s in seen if _length(s.point - best.point) >= apart]
        self._others = [
            (other, then)
            for other, then in self._others
            if then >= oldest
            and _length(other - best.point) >= apart
            and all(_length(other - point) >= 0.5 * apart for point in now)
        ]
        for point in now:
            if not self._is_other(point) and len(self._others) < _MAX_LOOK_ALIKES:
                self._others.append((point, stamp))


def _length(v: Array) -> float:
    return hypot(float(v[0]), float(v[1]))


def _lead(seen: list[PlaneDetection]) -> float:
    """Return by how much the first candidate scores higher than the second."""
    return seen[0].detection.score - seen[1].detection.score


_MAX_LOOK_ALIKES = 16
_STENCIL = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
_STEP, _NOISE = np.eye(4), np.zeros((4, 4))
for _constant in (_STENCIL, _STEP, _NOISE):
    _constant.setflags(write=False)
