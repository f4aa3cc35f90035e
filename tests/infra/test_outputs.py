from pathlib import Path

import machines
import outputs
import price

from tests.infra.test_profiles import profile

CATALOGUE = machines.read(Path(__file__).parents[2] / "infra" / "machines.toml")
TIMES = ["2026-11-22T19:30:00.000-08:00", "2026-11-22T18:00:00.000-08:00", "2026-11-23T02:30:00.000+00:00"]


def test_a_cluster_ends_with_its_oldest_node():
    """A head that was made anew lives longer than the nodes beside it."""
    found = profile(nodes=3, lifetime="1h")
    priced = price.document(found, CATALOGUE)
    head = {"v4": "198.51.100.9", "v6": None}
    inventory = outputs.describe(found, priced, ["10.0.0.2", "10.0.0.3", "10.0.0.4"], head, TIMES)[1]
    assert inventory["created_at"] == "2026-11-23T02:00:00+00:00"
    assert inventory["expires_at"] == "2026-11-23T03:00:00+00:00"


def test_the_inventory_says_whether_its_price_is_that_of_spot_machines():
    for spot in (False, True):
        found = profile(spot=spot)
        head = {"v4": "198.51.100.9", "v6": None}
        described = outputs.describe(found, price.document(found, CATALOGUE), ["10.0.0.2"], head, TIMES[:1])
        assert described[1]["price"]["spot"] is spot
