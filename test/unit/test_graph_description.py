"""The description of a graph: arguments, nodes, command lines; no ROS needed."""

import json

import pytest
from careful import CAREFUL

from icpi_ros.core.errors import UsageError
from icpi_ros.ros.bringup.arguments import checked
from icpi_ros.ros.bringup.description import GRAPHS, graph, page_command
from icpi_ros.sim.camera_settings import CameraSettings


def by_name(**arguments):
    return {spec.name: spec for spec in graph("sim", arguments)}


def written(folder, text):
    """Write a file of parameters; return its path."""
    file = folder / "my.yaml"
    file.write_text(text)
    return str(file)


def test_the_sim_graph_has_its_four_nodes_in_one_namespace():
    nodes = by_name(namespace="lab/")
    assert set(nodes) == {"mujoco_arm", "perception", "executor", "policy_improver"}
    assert {spec.namespace for spec in nodes.values()} == {"/lab"}
    assert all(spec.parameters["task"] == "slide" for spec in nodes.values())
    followers = set(nodes) - {"mujoco_arm"}
    assert all(nodes[name].parameters["use_sim_time"] is True for name in followers)
    assert "use_sim_time" not in nodes["mujoco_arm"].parameters


def test_values_get_the_types_of_the_parameters():
    arm = by_name(real_time_factor="0", physics="0.2,0.3,1", physics_seed="7")["mujoco_arm"]
    assert arm.parameters["real_time_factor"] == 0.0
    assert isinstance(arm.parameters["real_time_factor"], float)
    assert arm.parameters["physics"] == [0.2, 0.3, 1.0]
    assert arm.parameters["physics_seed"] == 7
    assert "physics" not in by_name()["mujoco_arm"].parameters


def test_sensors_are_passed_on_only_where_they_are_not_as_usual():
    usual = by_name()["mujoco_arm"].parameters
    assert not [name for name in usual if "camera" in name or "pose" in name]
    given = {"camera": "true", "publish_pose": "false", "camera_width": "640"}
    arm = by_name(**given, camera_noise="4", camera_distortion="-0.1,0,0,0,0")["mujoco_arm"]
    sensors = {name: value for name, value in arm.parameters.items() if name not in usual}
    assert sensors == {
        "camera": True,
        "publish_pose": False,
        "camera_width": 640,
        "camera_noise": 4.0,
        "camera_distortion": [-0.1, 0.0, 0.0, 0.0, 0.0],
    }
    assert isinstance(sensors["camera_noise"], float)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"object_pose_topic": "/vrpn/puck/pose"}, {"object_pose": "/vrpn/puck/pose"}),
        (
            {"object_pose_topic": "/vicon/puck", "source": "tracked_transform"},
            {"object_transform": "/vicon/puck"},
        ),
        ({"joint_states_topic": "franka/joint_states"}, {"joint_states": "franka/joint_states"}),
        (
            {"image_topic": "/cam/color/image_raw"},
            {
                "camera/image_raw": "/cam/color/image_raw",
                "camera/camera_info": "/cam/color/camera_info",
            },
        ),
        (
            {"image_topic": "cam/image_raw/compressed"},
            {
                "camera/image_raw": "cam/image_raw/compressed",
                "camera/camera_info": "cam/camera_info",
            },
        ),
        (
            {"image_topic": "/a/image", "camera_info_topic": "/b/info"},
            {"camera/image_raw": "/a/image", "camera/camera_info": "/b/info"},
        ),
        (
            {"controller_name": "scaled"},
            {
                "joint_trajectory_controller/joint_trajectory": "scaled/joint_trajectory",
                "joint_trajectory_controller/status": "scaled/status",
            },
        ),
    ],
)
def test_the_names_of_a_lab_are_those_of_every_node(given, expected):
    for name in ("sim", "real"):
        nodes = graph(name, {"approval": "true", **given})
        assert [dict(spec.remappings) for spec in nodes] == [expected] * len(nodes)
    command = graph("sim", given)[1].command()
    assert {f"{old}:={new}" for old, new in expected.items()} <= set(command)


@pytest.mark.parametrize(
    "name", ["object_pose_topic", "image_topic", "camera_info_topic", "controller_name"]
)
@pytest.mark.parametrize("value", ["/a b", "9lives", "/a//b", "/puck/pose;rm", "/", "/puck/pose/"])
def test_a_topic_that_ros_does_not_take_is_refused(name, value):
    with pytest.raises(UsageError, match=f"argument {name} = .* is not a ROS name"):
        graph("real", {name: value})


def test_a_recorder_is_there_if_it_is_asked_for(tmp_path):
    assert "recorder" not in by_name()
    recorder = by_name(record=str(tmp_path / "bag"))["recorder"]
    assert recorder.parameters == {"folder": str(tmp_path / "bag"), "use_sim_time": True}
    with pytest.raises(UsageError, match="exists: a recording needs a folder of its own"):
        by_name(record=str(tmp_path))


def test_a_replay_has_nothing_that_could_move_an_arm():
    nodes = {spec.name: spec for spec in graph("replay", {"bag": "b", "viewer": "true"})}
    assert set(nodes) == {"perception", "replay", "viewer"}
    assert nodes["perception"].parameters["use_sim_time"] is True
    assert "use_sim_time" not in nodes["replay"].parameters  # it publishes /clock
    assert nodes["replay"].parameters["rate"] == 1.0
    other = {spec.name: spec for spec in graph("replay", {"player": "false"})}
    assert other["replay"].parameters["use_sim_time"] is True
    with pytest.raises(UsageError, match="which bag"):
        graph("replay", {})
    with pytest.raises(UsageError, match="unknown argument 'speed_scale'"):
        graph("replay", {"bag": "b", "speed_scale": "1"})


def test_the_camera_of_the_arguments_is_that_of_the_core():
    usual = {a.name: a.default for a in GRAPHS["sim"]}
    core = CameraSettings()
    for name in ("width", "height", "rate", "noise", "exposure", "latency", "drop"):
        assert usual[f"camera_{name}"] == str(getattr(core, name))


def test_the_command_line_keeps_text_text(tmp_path):
    file = written(tmp_path, "")
    spec = by_name(store="/tmp/1.5", params_file=file)["policy_improver"]
    command = spec.command()
    assert f"store:={json.dumps('/tmp/1.5')}" in command
    assert command[-2:] == ["--params-file", file]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tusk": "slide"}, "unknown argument 'tusk': choose from task"),
        ({"task": "juggle"}, "rope-swing, rope-swing-gc, slide, slide-gc"),
        ({"real_time_factor": "fast"}, "a number"),
        ({"real_time_factor": ""}, "a number"),
        ({"physics": "0.2;0.3"}, "numbers with commas"),
        ({"physics_seed": "-1"}, "a whole number"),
        ({"camera": "yes"}, "one of true, false"),
        ({"camera_width": "wide"}, "a whole number"),
        ({"camera_distortion": "a,b"}, "numbers with commas"),
    ],
)
def test_a_bad_argument_is_named(given, words):
    with pytest.raises(UsageError, match=words):
        graph("sim", given)


def test_the_real_graph_shares_everything_but_arm_and_sensors():
    real = {spec.name: spec for spec in graph("real", {})}
    sim = by_name(approval="true")
    assert set(real) == {"perception", "executor", "policy_improver", "viewer"}
    assert [a.name for a in GRAPHS["real"]] == [a.name for a in GRAPHS["sim"]]
    assert all(spec.parameters["use_sim_time"] is False for spec in real.values())
    rules = real["executor"].parameters
    assert rules["approval"] is True
    assert rules["scene"] == "operator"
    assert rules["speed_scale"] < 1.0
    assert rules["max_step"] == real["policy_improver"].parameters["max_step"] == 0.5
    assert "reply_timeout" not in rules  # a real arm has the executor's own deadlines
    assert {name: rules[name] for name in CAREFUL} == CAREFUL
    shared = set(rules) - {"use_sim_time"}
    assert shared <= set(sim["executor"].parameters)


def test_the_real_graph_takes_the_command_line_of_the_simulated_one():
    given = {"real_time_factor": "0", "physics_seed": "3", "camera_noise": "2"}
    assert {s.name for s in graph("real", given)} == {s.name for s in graph("real", {})}


def test_an_unknown_graph_is_named():
    with pytest.raises(UsageError, match="choose one of sim, real, replay"):
        graph("moon", {})


def test_every_argument_has_a_description_and_a_valid_default():
    for arguments in GRAPHS.values():
        checked(arguments, {})
        assert all(argument.description for argument in arguments)
    asked = {"task", "improver", "namespace", "use_sim_time", "params_file", "log_level"}
    assert asked <= {argument.name for argument in GRAPHS["sim"]}


@pytest.mark.parametrize("name", ["sim", "real"])
def test_the_prefix_of_joints_reaches_every_node_that_reads_or_writes_them(name):
    given = {"joint_prefix": "ur_", "viewer": "true"}
    nodes = {spec.name: spec.parameters for spec in graph(name, given)}
    takes = {node for node, values in nodes.items() if values.get("joint_prefix") == "ur_"}
    assert takes == {"executor", "viewer", "mujoco_arm"} & set(nodes)


@pytest.mark.parametrize(("name", "by"), [("sim", "mujoco_arm"), ("real", "viewer")])
def test_one_node_tells_where_the_tool_is(name, by):
    given = {"viewer": "true", "publish_frames": "true"}
    nodes = {spec.name: spec.parameters for spec in graph(name, given)}
    told = [node for node in ("mujoco_arm", "viewer") if nodes.get(node, {}).get("publish_frames")]
    assert told == [by]


OFF = "ros__parameters: {approval: false}"
FORMS = (
    "/**: {ROS}",
    "'**': {ROS}",
    "/**/executor: {ROS}",
    "/**: {executor: {ROS}}",
    "/lab/executor: {ROS}",
    "lab/executor: {ROS}",
    "lab: {executor: {ROS}}",
    "/*/executor: {ROS}",
    "/lab/*: {ROS}",
    "/lab/**: {ROS}",
    "/lab/**/executor: {ROS}",
)
"""What rclpy takes for the parameters of /lab/executor."""


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_contradicts_an_argument_is_refused(tmp_path, form):
    file = written(tmp_path, form.replace("ROS", OFF))
    with pytest.raises(UsageError) as refused:
        graph("sim", {"namespace": "lab", "approval": "true", "params_file": file})
    assert str(refused.value) == (
        f"{file} sets approval of /lab/executor to false, but approval:=true was given: "
        "remove one of the two"
    )


@pytest.mark.parametrize("form", ["executor: {ROS}", "/executor: {ROS}", "/*: {ROS}"])
def test_a_node_of_the_root_is_named_without_a_namespace(tmp_path, form):
    file = written(tmp_path, form.replace("ROS", OFF))
    with pytest.raises(UsageError, match="approval of /executor to false"):
        graph("sim", {"approval": "true", "params_file": file})
    assert graph("sim", {"namespace": "lab", "approval": "true", "params_file": file})


@pytest.mark.parametrize(
    ("argument", "section"),
    [
        ("max_step:=0.4", "policy_improver: {ros__parameters: {max_step: 0.8}}"),
        ("ramp_trials:=3", "executor: {ros__parameters: {ramp_trials: 0}}"),
        ("scene:=operator", "executor: {ros__parameters: {scene: service}}"),
        ("limits:=my_limits.yaml", "executor: {ros__parameters: {limits: ''}}"),
        ("record:=bag", "recorder: {ros__parameters: {folder: another}}"),
    ],
)
def test_every_argument_of_every_node_is_compared(tmp_path, argument, section):
    name, _, value = argument.partition(":=")
    file = written(tmp_path, section)
    with pytest.raises(UsageError, match=f"but {argument} was given"):
        graph("real", {name: value, "params_file": file})
    # What is not given is what a file is for, if all are told that must agree.
    everywhere = written(tmp_path, f"/**: {section.partition(': ')[2]}")
    assert graph("real", {"params_file": everywhere})


def test_a_file_may_say_what_an_argument_says(tmp_path):
    file = written(tmp_path, "/**: {ros__parameters: {max_step: 0.4, approval_timeout: 9.0}}")
    assert graph("real", {"max_step": "0.40", "params_file": file})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("executor: {ros__parameters: {approval: true, approval: false}}", "given twice"),
        ("- approval", "not a file of parameters"),
        ("executor: [", "not valid YAML"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path, text, words):
    with pytest.raises(UsageError, match=words):
        graph("sim", {"params_file": written(tmp_path, text)})


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read .*my\.yaml"):
        graph("replay", {"bag": "b", "params_file": str(tmp_path / "my.yaml")})


def test_a_real_arm_without_approval_needs_a_word_of_its_own(tmp_path):
    with pytest.raises(UsageError, match="approval is switched off by approval:=false"):
        graph("real", {"approval": "false"})
    assert graph("real", {"approval": "false", "unattended": "true"})
    assert graph("sim", {"approval": "false"})


@pytest.mark.parametrize("off", ["false", "n", "off", "0"])
def test_a_file_that_switches_approval_off_needs_it_too(tmp_path, off):
    file = written(tmp_path, f"/**: {{ros__parameters: {{approval: {off}}}}}")
    with pytest.raises(UsageError, match=rf"off in {file} for /executor: .* unattended:=true"):
        graph("real", {"params_file": file})
    assert graph("real", {"params_file": file, "unattended": "true"})


def test_a_file_gives_no_node_a_clock_of_its_own(tmp_path):
    file = written(tmp_path, "/**: {ros__parameters: {use_sim_time: true}}")
    with pytest.raises(UsageError, match=rf"{file} sets use_sim_time of /\w+, .* one clock"):
        graph("real", {"params_file": file})  # the executor would warn of nothing
    with pytest.raises(UsageError, match="but use_sim_time:=false was given"):
        graph("real", {"params_file": file, "use_sim_time": "false"})
    assert graph("real", {"params_file": file, "use_sim_time": "true"})
    assert graph("sim", {"params_file": file})


def test_only_the_graph_says_that_its_arm_is_simulated(tmp_path):
    told = {spec.name: spec.parameters.get("simulated") for spec in graph("sim", {})}
    assert told["executor"] is True
    real = {spec.name: spec.parameters for spec in graph("real", {"use_sim_time": "true"})}
    assert "simulated" not in real["executor"]
    file = written(tmp_path, "executor: {ros__parameters: {simulated: true}}")
    with pytest.raises(UsageError, match="sets simulated of /executor"):
        graph("real", {"params_file": file})


@pytest.mark.parametrize("name", ["arm", "limits", "dry_run", "max_step"])
def test_a_file_tells_both_nodes_what_both_must_know(tmp_path, name):
    value = {"dry_run": True, "max_step": 0.3}.get(name, "lab.yaml")
    file = tmp_path / "params.yaml"
    one = {"/executor": {"ros__parameters": {name: value}}}
    file.write_text(json.dumps(one))
    with pytest.raises(UsageError, match=f"sets {name} differently for nodes that must agree"):
        graph("sim", {"params_file": str(file)})
    file.write_text(json.dumps({"/**": one["/executor"]}))
    assert graph("sim", {"params_file": str(file)})


def test_a_dry_run_needs_nobody():
    assert graph("real", {"approval": "false", "dry_run": "true"})
    with pytest.raises(UsageError, match="unattended:=true"):
        graph("real", {"approval": "false"})


def test_what_an_improver_may_learn_from_is_an_argument():
    assert by_name()["policy_improver"].parameters["mix"] is False
    assert by_name(mix="true")["policy_improver"].parameters["mix"] is True


def test_a_page_beside_a_graph_is_asked_for_by_an_argument():
    assert page_command("sim", {}) is None
    shows = page_command("sim", {"view": "true", "namespace": "lab"})
    assert shows[1:4] == ["-m", "icpi_ros.cli.main", "view"]
    assert shows[-2:] == ["--namespace", "lab"]
    assert page_command("real", {"view": "operate"})[-1] == "--operate"
    with pytest.raises(UsageError, match="argument view = 'yes' is not allowed"):
        graph("sim", {"view": "yes"})
