"""The gate's real peers. Each starts as one process, in a folder of its own and at a free port,
with a log; and somebody is signed in there."""
