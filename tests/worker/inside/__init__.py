"""The tests of what the worker relays once more, with the worker in a thread of this process, where
it can be seen which of its lines run. What only processes show stays with them."""
