"""A few rounds of `./dev chaos`, chosen so that each kind of fault comes once."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "chaos"))

import chaos  # noqa: E402

ROUNDS = [["kill_agent", "cut_wire"], ["kill_collectors"], ["stop_database"], ["fill_database", "fill_spools"]]


def test_nothing_promised_is_lost_whatever_breaks():
    verdict, problems = chaos.run(len(ROUNDS), seed=1, agents=2, swarm=10, choose=ROUNDS)
    assert not problems
    assert verdict.promised > 20 and verdict.acks > 0
