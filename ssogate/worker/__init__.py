"""What the server must be like: its settings, its start, its logs.

Knows gunicorn and nothing of the gate's parts: who guards what is `app`'s to say, and `app` is
never imported here. A gunicorn.conf.py brings the two together.

`GateWorker` is gunicorn's worker for the gate, with the fast lane (`lane`).
"""

from ssogate.worker.gate_worker import GateWorker

__all__ = ["GateWorker"]
