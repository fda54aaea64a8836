"""A second opinion on motions: own interpolation, own sampling, own comparison with the limits.

Shares nothing with the gate but the arm's kinematics, which other tests compare with MuJoCo.
"""

import itertools

import numpy as np

PERIOD = 1e-4
BLOCK = 512
"""Samples whose frames are computed together: twice as fast as tens of thousands."""
COARSE = 10
"""Of so many samples one has its frames computed, and all of them where it is near a limit."""
NEAR_LENGTH, NEAR_SPEED = 0.02, 0.2
"""Distances from a limit that count as near [m, m/s]: in 1 ms nothing bends by a tenth of them."""
TOLERANCE = 2e-7
CLEARANCE = 0.01
CLEARANCE_TOLERANCE = 5e-4


def curve(t):
    """Quintic Hermite interpolation by scipy."""
    from scipy.interpolate import BPoly, PPoly  # here: not every worker needs it

    points = np.stack([t.positions, t.velocities, t.accelerations], axis=1)
    return PPoly.from_bernstein_basis(BPoly.from_derivatives(t.times, points))


def peaks(t):
    """Exact extremes: values of position, velocity, acceleration where their slopes vanish."""
    found = []
    polynomial = curve(t)
    for _ in range(3):
        slope = polynomial.derivative()
        lowest, highest = [], []
        for j, roots in enumerate(slope.roots(extrapolate=False)):
            roots = roots[np.isfinite(roots)]
            values = polynomial(np.concatenate([roots, t.times]))[:, j]
            lowest.append(values.min())
            highest.append(values.max())
        found.append((np.array(lowest), np.array(highest)))
        polynomial = slope
    return found


def tool_peak(t, value):
    """Largest ``value(q, qd)`` of a motion, refined between samples of 0.1 ms."""
    from scipy.optimize import minimize_scalar

    q, qd = curve(t), curve(t).derivative()
    times = np.linspace(0.0, t.duration, int(t.duration / PERIOD) + 2)
    values = value(q(times), qd(times))
    i = int(np.argmax(values))
    around = (times[max(i - 1, 0)], times[min(i + 1, len(times) - 1)])
    best = minimize_scalar(
        lambda s: -value(q([s]), qd([s]))[0],
        bounds=around,
        method="bounded",
        options={"xatol": 1e-10},
    )
    return max(float(values[i]), -float(best.fun))


def tool_speed(arm):
    return lambda q, qd: np.linalg.norm((arm.jacobian(q)[:, :3] @ qd[..., None])[..., 0], axis=1)


def violation(t, arm, limits, current):
    """What is wrong with a motion, or None."""
    if t.joints != arm.joints or not all(
        np.isfinite(a).all() for a in (t.times, t.positions, t.velocities, t.accelerations)
    ):
        return "form"
    if t.times[0] != 0.0 or (np.diff(t.times) <= 0.0).any():
        return "times"
    if np.any(t.velocities[[0, -1]] != 0.0):
        return "moves at an end"
    if np.abs(t.positions[0] - current).max() > 0.02:
        return "start"
    times = np.union1d(np.arange(0.0, t.duration, PERIOD), t.times)
    path = curve(t)
    q, qd, qdd = path(times), path.derivative()(times), path.derivative(2)(times)
    for label, values, low, high in (
        ("position", q, limits.lower, limits.upper),
        ("velocity", qd, -limits.velocity, limits.velocity),
        ("acceleration", qdd, -limits.acceleration, limits.acceleration),
    ):
        if (values < low - TOLERANCE).any() or (values > high + TOLERANCE).any():
            return label
    some = np.arange(0, len(times), COARSE)
    frames = frames_at(arm, q[some])
    near = some[np.any([room < 0.0 for room, _ in rooms(arm, limits, frames, qd[some])], axis=0)]
    around = np.unique(np.clip(near[:, None] + np.arange(-COARSE, COARSE + 1), 0, len(times) - 1))
    # The last samples have no coarse one behind them.
    every = np.union1d(around, np.arange(some[-1], len(times)))
    for room, label in rooms(arm, limits, frames_at(arm, q[every]), qd[every], exact=True):
        if (room < 0.0).any():
            return label
    return folded(arm, frames)


def frames_at(arm, q):
    """Frames of all links, ``(T, n, 4, 4)``."""
    return np.concatenate([arm.links(block) for block in np.array_split(q, len(q) // BLOCK + 1)])


def rooms(arm, limits, frames, qd, exact=False):
    """Yield what is left to each limit of the tool and the table ``(T,)``, and its name.

    Less what counts as near, or with ``exact`` more by what rounding may take.
    """
    length, speed = (TOLERANCE, TOLERANCE) if exact else (-NEAR_LENGTH, -NEAR_SPEED)
    tool = tool_point(arm, frames)
    inside = np.minimum(tool - limits.workspace_lower, limits.workspace_upper - tool)
    yield inside.min(axis=1) + length, "box"
    fast = speeds(frames, tool, qd)
    yield limits.tool_speed - fast + speed, "tool speed"
    yield np.sqrt(2.0 * limits.tool_energy / limits.tool_mass) - fast + speed, "tool energy"
    yield above_table(arm, frames) + length, "table"


def tool_point(arm, frames):
    """Tool point ``(T, 3)``, which stays where it is in the last link."""
    point, last = arm.tool_pose(arm.home)[0], arm.links(arm.home)[-1]
    inside = np.linalg.solve(last, np.append(point, 1.0))
    return (frames[:, -1] @ inside)[:, :3]


def speeds(frames, tool, qd):
    """Speed of the tool point ``(T,)``: each joint turns it about the z axis of its link."""
    total = 0.0
    for joint, rate in enumerate(qd.T, start=1):
        x, y, z = frames[:, joint, :3, 2].T
        a, b, c = (tool - frames[:, joint, :3, 3]).T
        total = total + rate * np.stack([y * c - z * b, z * a - x * c, x * b - y * a])
    return length(total)


def ends(arm, frames):
    """Ends of every piece in frame base: coordinate, end, piece, instant ``(3, 2, P, T)``."""
    both = []
    for end in ("start", "end"):
        points = np.array([[*getattr(piece, end), 1.0] for piece in arm.collision_geometry])
        of_link = frames[:, [piece.link for piece in arm.collision_geometry], :3]
        both.append(np.moveaxis((of_link @ points[:, :, None])[..., 0], (2, 1, 0), (0, 1, 2)))
    return np.ascontiguousarray(np.stack(both, axis=1))


def above_table(arm, frames):
    """Height of the lowest piece above the floor ``(T,)`` [m]."""
    floor = min(0.0, arm.limits.workspace_lower[2])
    heights = [
        frames[:, piece.link, 2, :3] @ end + frames[:, piece.link, 2, 3] - piece.radius
        for piece in arm.collision_geometry
        if piece.link > 1
        for end in (piece.start, piece.end)
    ]
    return np.min(heights, axis=0) - floor


def folded(arm, frames):
    """The pair of pieces that come too near to each other, or None."""
    pairs = [
        (i, j)
        for (i, a), (j, b) in itertools.combinations(enumerate(arm.collision_geometry), 2)
        if abs(a.link - b.link) >= 2
    ]
    points = ends(arm, frames)
    one, other = (points[:, :, list(pieces)] for pieces in zip(*pairs, strict=True))
    for (i, j), distance in zip(pairs, segment_distance(one, other), strict=True):
        a, b = arm.collision_geometry[i], arm.collision_geometry[j]
        if distance.min() - a.radius - b.radius < CLEARANCE - CLEARANCE_TOLERANCE:
            return f"folded: {a.name}, {b.name}"
    return None


def dot(a, b):
    """Scalar products along the first axis, which is that of the coordinates."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def length(a):
    return np.sqrt(dot(a, a))


def segment_distance(one, other):
    """Distance of segments ``(3, 2, ...)``: the best of the interior and of all four ends."""
    u, v = one[:, 1] - one[:, 0], other[:, 1] - other[:, 0]
    w = one[:, 0] - other[:, 0]
    a, b, c = dot(u, u), dot(u, v), dot(v, v)
    d, e = dot(u, w), dot(v, w)
    determinant = np.maximum(a * c - b * b, 1e-15)
    s = np.clip((b * e - c * d) / determinant, 0.0, 1.0)
    t = np.clip((a * e - b * d) / determinant, 0.0, 1.0)
    best = length(w + s * u - t * v)
    for segment, point in (
        (one, other[:, 0]),
        (one, other[:, 1]),
        (other, one[:, 0]),
        (other, one[:, 1]),
    ):
        best = np.minimum(best, point_distance(segment, point))
    return best


def point_distance(segment, point):
    along, away = segment[:, 1] - segment[:, 0], point - segment[:, 0]
    share = np.clip(dot(away, along) / dot(along, along), 0.0, 1.0)
    return length(away - share * along)
