"""What goes on beside the requests begins once in each process, and only where there are any."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from werkzeug.test import Client
from werkzeug.wrappers import Response

from ssogate.middleware.first_request import FirstRequest


def test_it_begins_once_with_the_first_request() -> None:
    begun: list[int] = []
    layer = FirstRequest(Response("app"), lambda: begun.append(os.getpid()))
    assert begun == []

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: Client(layer).get("/").text, range(8)))

    assert answers == ["app"] * 8
    assert begun == [os.getpid()]


def test_it_begins_again_in_a_process_that_is_forked() -> None:
    begun: list[int] = []
    layer = FirstRequest(Response("app"), lambda: begun.append(os.getpid()))
    Client(layer).get("/")
    child = os.fork()
    if child == 0:
        Client(layer).get("/")
        Client(layer).get("/")
        os._exit(len(set(begun)) * 10 + len(begun))

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 22
