"""`fab` for tests: as a person starts it, but for the nodes, which only exist in a stand-in's memory: nobody enters."""

import sys

from fabric.main import program

from orchestration.provision.cloud import pairing

pairing.pair = lambda *_: None
sys.exit(program.run())
