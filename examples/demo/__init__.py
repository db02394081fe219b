"""The demonstration: `python examples/demo/run.py` starts it. Each site is a program of its own."""
