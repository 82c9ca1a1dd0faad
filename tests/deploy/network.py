"""Who reaches whom, by the NetworkPolicies of built manifests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.deploy.manifests import Object


@dataclass(frozen=True)
class Peer:
    """A pod, by its labels and those of its namespace, if that is another than ours."""

    labels: dict[str, str] = field(default_factory=dict)
    namespace: dict[str, str] | None = None


def reaches(objects: list[Object], source: Peer, target: Peer, port: int) -> bool:
    """Return whether both the source's way out and the target's way in are open."""
    policies = [x["spec"] for x in objects if x["kind"] == "NetworkPolicy"]
    return all(
        _lets(_of(policies, at, way), way, other, port)
        for at, way, other in ((source, "egress", target), (target, "ingress", source))
        if at.namespace is None
    )


def _of(policies: Iterable[Object], peer: Peer, way: str) -> list[Object]:
    """Return the policies that limit a pod in that direction."""
    return [
        x
        for x in policies
        if way.capitalize() in x["policyTypes"] and _selects(x["podSelector"], peer.labels)
    ]


def _lets(policies: list[Object], way: str, other: Peer, port: int) -> bool:
    """Return whether one of the policies has a rule for it, or there is none at all."""
    rules = [rule for policy in policies for rule in policy.get(way, ())]
    return not policies or any(
        port in {x["port"] for x in rule["ports"]}
        and _names(rule.get("from" if way == "ingress" else "to"), other)
        for rule in rules
    )


def _names(peers: list[Object] | None, other: Peer) -> bool:
    return peers is None or any(
        _selects(x.get("podSelector", {}), other.labels)
        and ("namespaceSelector" in x) == (other.namespace is not None)
        and _selects(x.get("namespaceSelector", {}), other.namespace or {})
        for x in peers
        if "ipBlock" not in x
    )


def _selects(selector: Object, labels: dict[str, str]) -> bool:
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()
