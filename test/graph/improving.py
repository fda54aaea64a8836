"""A run through the graph beside the test."""

import threading

from icpi_ros.ros.clients.improve_client import ImproveClient, ImproveRequest

from .conftest import HANG, NAMESPACE


class Improvement(threading.Thread):
    """Asks for a run in a thread of its own; ``result`` is there once it has ended."""

    def __init__(self, budget):
        super().__init__(daemon=True)
        self.budget, self.result = budget, None

    def run(self):
        with ImproveClient(NAMESPACE) as client:
            client.connect(HANG)
            self.result = client.improve(ImproveRequest("slide", "random", budget=self.budget))

    def ended(self):
        """Wait for its end; return its result."""
        self.join(HANG)
        return self.result
