"""Many agents at once, in short: what was acknowledged is stored, once and as it was sent."""
import time

import pytest

from collector_process import Collector
from swarm import Swarm, dsn_of, judge


@pytest.fixture(scope="module")
def collector():
    with Collector() as running:
        yield running


def data_dir(collector):
    return collector.folder / "data"


def assert_faithful(swarm, collector, figures):
    verdict = judge(swarm.ledger, dsn_of(data_dir(collector)))
    assert verdict.acknowledged == figures["acknowledged"]
    assert (verdict.lost, verdict.doubled, verdict.wrong) == (0, 0, 0)


def test_a_fleet_with_deployments_and_restarts(collector, tmp_path):
    with Swarm(tmp_path, [collector.address], agents=200, interval="100ms", duration="2s",
               deploy_every="100ms", restarts=10000) as swarm:
        figures = swarm.result()
    assert figures["refused"] == 0 and figures["dropped"] == 0
    assert figures["restarts"] > 50
    assert figures["acknowledged"] == figures["snapshots"] > 200 * 15
    assert_faithful(swarm, collector, figures)


def test_all_agents_reconnect_at_once(collector, tmp_path):
    with Swarm(tmp_path, [collector.address], agents=200, interval=0, window=8, duration="2s",
               reconnect_after="1s", retry=0, seed=2) as swarm:
        figures = swarm.result()
    assert figures["disconnects"] >= 200 and figures["refused"] == 0
    assert figures["acknowledged"] == figures["snapshots"]
    assert_faithful(swarm, collector, figures)


def test_agents_share_connections_and_have_many_processes(collector, tmp_path):
    with Swarm(tmp_path, [collector.address], agents=20, connections=3, processes=10, interval="100ms",
               duration="2s", seed=3) as swarm:
        figures = swarm.result()
    assert figures["connections"] == 3 and figures["refused"] == 0
    assert figures["acknowledged"] == figures["snapshots"]
    assert_faithful(swarm, collector, figures)


def test_two_collectors_of_one_database(tmp_path):
    """One is killed under load: its agents go on with the other, and nothing is lost or doubled."""
    with Collector() as first:
        second = Collector(options=["--dsn", dsn_of(data_dir(first))], private=False)
        with second:
            with Swarm(tmp_path, [first.address, second.address], agents=200, interval="50ms",
                       duration="4s", deploy_every="200ms") as swarm:
                time.sleep(2.5)
                second.kill()
                figures = swarm.result()
            assert figures["disconnects"] >= 50, "the second collector was not in use"
            assert figures["acknowledged"] + figures["refused"] == figures["snapshots"]
            assert figures["refused"] == 0
            assert_faithful(swarm, first, figures)
