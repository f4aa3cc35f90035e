from orchestration.jobs.launchers.placement import NodeCpus
from orchestration.planning.binding import binding_of
from orchestration.planning.cores import fewest_cores, node_cpus


def machine(boot="b", cores=4, core_list=None):
    usable = {"cpus": "0-3", "cores": cores, "threads": 2 * cores, "quota": None, "core_list": core_list}
    return {"boot_id": boot, "cores": 16, "threads": 32, "usable": usable}


def test_what_may_be_used_counts_and_not_what_is_there():
    assert node_cpus([machine(core_list="0-3")]) == NodeCpus(4, 8, "0-3")
    assert fewest_cores([machine(), machine("c", cores=2)]) == 2


def test_nodes_of_before_say_what_they_have():
    assert node_cpus([{"boot_id": "b", "cores": 16, "threads": 32}]) == NodeCpus(16, 32)


def test_ranks_are_not_bound_where_they_would_leave_their_cpus():
    for machines in ([machine(core_list="")], [machine(), machine("c", core_list="4-7")]):
        cpus = node_cpus(machines)
        assert not cpus.bindable
        assert binding_of(1, 1, cpus) == "none"


def test_nodes_that_share_a_machine():
    cpus = node_cpus([machine(), machine()])
    assert (cpus.cores, binding_of(1, 1, cpus)) == (0, "none")
