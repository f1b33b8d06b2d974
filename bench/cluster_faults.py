"""What clients notice when a replica, or a whole machine, of a Ray cluster is lost.

Two nodes on this machine, replicas on both, and clients that send pictures without
pause and send again what was answered with 5xx or not at all. The node without the
cluster's head is killed, with all that runs on it, then one of the replicas.

    python -m bench.cluster_faults
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "samples" / "geometric-1-grey.jpg"
NODE_CPUS = 2
REPLICAS = 2
MOST_TRIES = 60
RETRY_S = 0.5

os.environ.update(
    {
        "PYTHONPATH": str(ROOT),
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "service.cluster:proxy_middlewares",
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
)


@dataclass
class Load:
    """Clients that send pictures, again and again.

    Parameters
    ----------
    url : str
    clients : int
    """

    url: str
    clients: int
    answered: int = 0
    lost: int = 0
    longest_s: float = 0.0
    last_fault: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._send) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def begin(self) -> None:
        """Count anew."""
        with self._lock:
            self.answered = self.lost = 0
            self.longest_s = self.last_fault = 0.0
            self.faults.clear()

    def _send(self) -> None:
        picture = PICTURE.read_bytes()
        while not self._stop.is_set():
            start = time.monotonic()
            is_answered = any(self._try(picture) for _ in range(MOST_TRIES))
            with self._lock:
                self.answered += is_answered
                self.lost += not is_answered
                self.longest_s = max(self.longest_s, time.monotonic() - start)

    def _try(self, picture: bytes) -> bool:
        try:
            # A connection for each: as from many clients.
            response = httpx.post(self.url, files={"file": picture}, timeout=30)
            fault = str(response.status_code)
            if response.is_error and "problem+json" not in response.headers["Content-Type"]:
                fault += f" as {response.headers['Content-Type']}: {response.text[:60]!r}"
        except httpx.HTTPError as error:
            fault = type(error).__name__
        if fault == "200":
            return True
        with self._lock:
            self.faults[fault] += 1
            self.last_fault = time.monotonic()
        time.sleep(RETRY_S)
        return False


def replicas_running() -> int:
    """Count the replicas that Ray Serve takes for good."""
    from ray import serve

    deployment = serve.status().applications["default"].deployments["colorize"]
    return int(deployment.replica_states.get("RUNNING", 0))


def wait_for_replicas(count: int, timeout_s: float, node_id: str | None = None) -> float:
    """Wait until so many are there, all on one node if it is named; seconds that it took."""
    start = time.monotonic()
    while replicas_running() != count or (
        node_id is not None and len(replicas_on(node_id)) != count
    ):
        if time.monotonic() - start > timeout_s:
            raise SystemExit(f"after {timeout_s:g} s not {count} replicas")
        time.sleep(0.2)
    return time.monotonic() - start


def replicas_on(node_id: str) -> list[tuple[str, str]]:
    """List the replicas that live on a node, by name and namespace."""
    import ray
    from ray._private.state import actors

    named = ray.util.list_named_actors(all_namespaces=True)
    namespaces = {actor["name"]: actor["namespace"] for actor in named}
    return [
        (actor["Name"], namespaces[actor["Name"]])
        for actor in actors().values()
        if actor["State"] == "ALIVE"
        and actor["Address"]["NodeID"] == node_id
        and "#colorize#" in actor["Name"]
    ]


def report(what: str, load: Load, killed: float, whole_s: float) -> None:
    """Print a line of the table."""
    faults = ", ".join(f"{count} x {name}" for name, count in sorted(load.faults.items())) or "none"
    last_s = max(0.0, load.last_fault - killed) if load.last_fault else 0.0
    print(
        f"| {what} | {load.answered} | {load.lost} | {faults} | {last_s:.1f} s | "
        f"{load.longest_s:.1f} s | {whole_s:.1f} s |",
        flush=True,
    )


def main() -> None:
    """Start two nodes, lose one, then a replica."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=20, help="watched after each loss")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))

    import ray
    from ray import serve
    from ray.cluster_utils import Cluster

    from service.cluster import Colorize

    store = {"object_store_memory": 100 * 1024 * 1024}
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": NODE_CPUS, "include_dashboard": False, **store},
    )
    second = cluster.add_node(num_cpus=NODE_CPUS, **store)
    ray.init(address=cluster.address, log_to_driver=False)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
    # Ray spreads them over the nodes; what a lost one had finds a place on the other.
    deployment = Colorize.options(  # type: ignore[attr-defined]
        autoscaling_config=None, num_replicas=REPLICAS
    )
    serve.run(deployment.bind())
    wait_for_replicas(REPLICAS, 120)
    print("| lost | answered | lost for good | sent again | last fault | longest | whole after |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with Load(f"http://127.0.0.1:{port}/colorize", options.clients) as load:
        time.sleep(options.seconds / 4)
        load.begin()
        started = time.monotonic()
        time.sleep(options.seconds / 2)
        report("nothing", load, started, 0.0)

        on_second = replicas_on(second.node_id)
        if not on_second:
            raise SystemExit("the second node has no replica: its loss would show nothing")
        load.begin()
        killed = time.monotonic()
        cluster.remove_node(second, allow_graceful=False)
        # Ray still counts those that it does not know to be lost.
        whole_s = wait_for_replicas(REPLICAS, 60, cluster.head_node.node_id)
        time.sleep(max(0.0, options.seconds - whole_s))
        report(f"a node, with {len(on_second)} of {REPLICAS} replicas", load, killed, whole_s)

        load.begin()
        killed = time.monotonic()
        name, namespace = replicas_on(cluster.head_node.node_id)[0]
        ray.kill(ray.get_actor(name, namespace=namespace))
        time.sleep(1)
        whole_s = 1 + wait_for_replicas(REPLICAS, 60, cluster.head_node.node_id)
        time.sleep(max(0.0, options.seconds - whole_s))
        report("a replica", load, killed, whole_s)
    serve.shutdown()
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main()
