"""What environment nodes get: found at once on this machine, and the user's word first."""

import os
import xml.etree.ElementTree as ET

import pytest

from icpi_ros.core.errors import UsageError
from icpi_ros.ros.bringup.environment import HERE_ONLY, PEERS, PROFILES, RANGE, environment


@pytest.fixture
def given(monkeypatch):
    """Set variables; all others that count are unset."""

    def setting(**values):
        for name in (RANGE, PROFILES, PEERS, HERE_ONLY, "RMW_IMPLEMENTATION"):
            monkeypatch.delenv(name, raising=False)
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        return environment()

    return setting


@pytest.mark.parametrize(
    "said",
    [
        {},
        {RANGE: "LOCALHOST"},
        {HERE_ONLY: "1"},
        {HERE_ONLY: "1", RANGE: "SUBNET"},
        {"RMW_IMPLEMENTATION": ""},
        {PROFILES: ""},
    ],
)
def test_on_one_machine_nodes_speak_over_loopback_alone(given, said):
    found = given(**said)
    # LOCALHOST itself would have the middleware add shared memory.
    assert found[RANGE] == "SYSTEM_DEFAULT"
    assert found.get(HERE_ONLY, "0") == "0"
    profile = ET.parse(found[PROFILES])
    space = {"f": "http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles"}
    assert [e.text for e in profile.findall(".//f:transport_descriptor/f:type", space)] == ["UDPv4"]
    assert [e.text for e in profile.findall(".//f:address", space)] == ["127.0.0.1"] * 2
    assert profile.find(".//f:useBuiltinTransports", space).text == "false"


def test_a_node_that_starts_others_hands_the_same_on(given, monkeypatch):
    found = given()
    monkeypatch.setattr(os, "environ", found)
    assert environment() == found


@pytest.mark.parametrize("said", [{RANGE: "SUBNET"}, {PEERS: "192.0.2.5", RANGE: "LOCALHOST"}])
def test_with_other_computers_the_range_is_kept(given, said):
    found = given(**said)
    assert found[RANGE] == said[RANGE]
    assert found[PROFILES].endswith("fastdds.xml")


@pytest.mark.parametrize(
    "said", [{PROFILES: "/mine.xml"}, {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}]
)
def test_what_the_user_chose_is_kept(given, said):
    found = given(**said)
    assert found[RANGE] == "LOCALHOST"
    assert found.get(PROFILES) == said.get(PROFILES)


def test_switched_off_is_refused(given):
    with pytest.raises(UsageError, match=f"{RANGE} = OFF .* set LOCALHOST or SUBNET"):
        given(**{RANGE: "OFF"})
