"""Common ground of the nodes: spinning, QoS, parameters, conversion of messages."""
