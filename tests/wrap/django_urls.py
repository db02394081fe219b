"""The one page of the Django site in `test_wrap`."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import re_path


def who(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.user.get_username()} {request.user.is_authenticated}")


urlpatterns = [re_path(".*", who)]
