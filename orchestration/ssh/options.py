"""The options of OpenSSH with which the head reaches the other nodes, whether mpirun asks or we do."""

NODE_OPTIONS = (
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "ConnectTimeout=4",
    # without these a node that is paused or cut off hangs mpirun for ever; with them it ends within 6 s
    "ServerAliveInterval=2",
    "ServerAliveCountMax=3",
)
