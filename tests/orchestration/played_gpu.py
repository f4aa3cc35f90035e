"""Stands for `-m workload` on a machine with one GPU, which a CPU plays."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.workload.gpu.played import played_gpus
from workload.__main__ import main

with TemporaryDirectory() as folder, played_gpus(1, Path(folder)):
    main()
