"""Settings of the simulated arm alone: its faults, its controller, its camera."""

from __future__ import annotations

from icpi_ros.settings.setting import Setting

SIMULATED_ARM_SETTINGS = (
    Setting("fault", "", "what goes wrong, for tests; empty = nothing", read_only=False,
            choices=("", "reject", "abort", "silent", "drift", "late", "protective_stop",
                     "inactive")),
    Setting("fault_motion", 1, "in which motion from rest, from 1", "", 1, 10**6, read_only=False),
    Setting("fault_after", 0.0, "when in that motion it begins", "s", 0.0, 60.0, read_only=False),
    Setting("gripper_fault", "", "what goes wrong with commands that open the gripper, for tests",
            choices=("", "late", "reject", "abort", "stalled"), read_only=False),
    Setting("controller_status", True, "say what became of each motion and why; a real controller "
            "does not"),
    Setting("interpolate_from_desired_state", False, "join trajectories from the last command, "
            "not from the measured state"),
    Setting("servo_lag", 0.0, "how much later than commanded the arm moves", "s", 0.0, 0.2),
    Setting("camera_name", "", "camera of the scene; empty = its first"),
    Setting("camera_gain", 1.0, "factor on all grey levels; 0 = a lens cap", "", 0.0, 8.0),
    Setting("camera_seed", 0, "seed of noise and lost images", "", 0, 2**62),
)  # fmt: skip
