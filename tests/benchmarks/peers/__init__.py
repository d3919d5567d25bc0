"""The parts of `python tests/benchmarks/peers.py`: see its first lines."""
