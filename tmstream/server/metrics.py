"""Counters and gauges for ``/metrics``, in a registry of their own: two hubs never mix."""

from __future__ import annotations

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE

from ..core.messages import NodeStatusPart, StatusMessage

__all__ = ["CONTENT_TYPE", "Metrics", "ailing"]

_STATES: tuple[Literal["running", "waiting", "failed"], ...] = ("running", "waiting", "failed")


class Metrics:
    """What one engine shows to Prometheus; names start with ``tmstream_``."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self.clients = Gauge("tmstream_clients", "Connected clients", registry=self.registry)
        self.messages = Counter(
            "tmstream_messages", "Messages published, by type", ["type"], registry=self.registry
        )
        self.commands = Counter(
            "tmstream_commands", "Commands answered", ["type", "outcome"], registry=self.registry
        )
        self.refused = Counter(
            "tmstream_refused",
            "Connections and requests refused",
            ["status"],
            registry=self.registry,
        )
        self.evicted = Counter(
            "tmstream_evicted",
            "Clients cut off because they read too slowly",
            registry=self.registry,
        )
        self.examples = Gauge(
            "tmstream_examples", "Examples in the project", registry=self.registry
        )
        self._nodes = {
            name: Gauge(f"tmstream_node_{name}", about, ["node"], registry=self.registry)
            for name, about in {
                "rate_hz": "Packets a node handles a second",
                "p50_us": "Median time to handle a packet, in microseconds",
                "p99_us": "99th percentile of it",
                "dropped": "Packets thrown away at the node's door since the start",
            }.items()
        }
        self._state = Gauge(
            "tmstream_node_state", "1 for the state a node is in", ["node", "state"],
            registry=self.registry,
        )  # fmt: skip

    def observe(self, status: StatusMessage) -> None:
        """Take over what the engine says about its nodes."""
        self.examples.set(status.examples)
        for node, part in status.nodes.items():
            self._observe_node(node, part)

    def _observe_node(self, node: str, part: NodeStatusPart) -> None:
        for name, gauge in self._nodes.items():
            gauge.labels(node).set(getattr(part, name))
        for state in _STATES:
            self._state.labels(node, state).set(float(part.state == state))

    def text(self) -> bytes:
        """Return the Prometheus text format."""
        return generate_latest(self.registry)


def ailing(status: StatusMessage) -> dict[str, str]:
    """Return which nodes are not well, and what is wrong with each."""
    return {
        name: part.message or part.state
        for name, part in status.nodes.items()
        if part.state != "running" or part.message is not None
    }
