"""What the pages are made of: templates, style sheet, catalogues and images; ours, or a theme's.

All of it is read, compiled and checked at start. A theme's template that fails in front of a
visitor gives way to ours, so a slip in a theme never keeps anybody from signing in.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

from babel.dates import format_datetime
from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
    TemplateSyntaxError,
    pass_context,
)
from markupsafe import Markup
from werkzeug.wrappers import Response

from ssogate.http.languages import ENGLISH, Catalogue, Languages
from ssogate.http.log import log
from ssogate.http.site import OWN

if TYPE_CHECKING:
    from jinja2.runtime import Context
    from werkzeug.wrappers import Request

    from ssogate.model import Endpoint

MAX_FILE = 1 << 20  # bytes; the files are held in the memory of every worker

_OURS = Path(__file__).parent
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}")
_TYPES = {
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
_FILE_HEADERS = {
    "Cache-Control": "public, max-age=3600",
    "X-Content-Type-Options": "nosniff",
    # An SVG image that is opened by itself is a document: it shall run and load nothing.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
}


@dataclass(frozen=True, slots=True)
class ThemeFile:
    """An image or a font of the theme."""

    content_type: str
    body: bytes


class Pages:
    """The pages of a site, read from `theme` (a folder) where it has them, else our own.

    `theme` may hold `templates/*.html`, `style.css`, `translations/<tag>.po` and `static/*`;
    `language` is the tag of the default language. A theme's template finds ours below `gate/`.
    Raises `ValueError` that says in words what is wrong with the theme, and `OSError` for what
    cannot be read.
    """

    def __init__(self, theme: Path | None = None, language: str = ENGLISH) -> None:
        if theme is not None and not theme.is_dir():
            raise ValueError(f"{theme} is not a folder")
        folders = [_OURS, theme] if theme else [_OURS]
        style = _style(folders)
        self.languages = Languages([folder / "translations" for folder in folders], language)
        self.files = _files(theme / "static") if theme else {}
        self.content_security_policy = _policy(style, with_files=bool(self.files))
        self._ours = self._templates = _environment([_OURS], style)
        if theme:
            self._templates = _environment([theme, _OURS], style)
            for name in self._templates.list_templates(["html"]):
                _compile(self._templates, name)
        self._told: set[str] = set()

    def render(self, template: str, values: Mapping[str, object], accept_language: str = "") -> str:
        """Give the page's text in the language that the visitor understands best."""
        known = {**values, "catalogue": self.languages.best(accept_language)}
        try:
            return self._templates.get_template(template).render(known)
        except Exception as error:  # a template may fail in any way that Python can
            if self._templates is self._ours:
                raise
            self._tell(template, error)
        return self._ours.get_template(template).render(known)

    def _tell(self, template: str, error: Exception) -> None:
        """Log where a template failed, once; not the error's text, which may hold a visitor's."""
        if template not in self._told:
            self._told.add(template)
            frames = extract_tb(error.__traceback__)
            places = [f"{f.filename}:{f.lineno}" for f in frames if f.filename.endswith(".html")]
            detail = " at ".join([type(error).__name__, *places[-1:]])
            log.error("theme failed", template=template, detail=detail)


@cache
def standard_pages() -> Pages:
    """Our own pages, in English by default: where no layer says otherwise."""
    return Pages()


def theme_endpoints(pages: Pages) -> Mapping[str, Endpoint]:
    """Give the addresses of the theme's images and fonts."""
    return {f"{OWN}theme/{name}": partial(_serve, file) for name, file in pages.files.items()}


def _serve(file: ThemeFile, _: Request) -> Response:
    return Response(file.body, 200, _FILE_HEADERS, content_type=file.content_type)


def _files(folder: Path) -> Mapping[str, ThemeFile]:
    if not folder.is_dir():
        return {}
    visible = (entry for entry in sorted(folder.iterdir()) if not entry.name.startswith("."))
    return {entry.name: _file(entry) for entry in visible}


def _file(entry: Path) -> ThemeFile:
    content_type = _TYPES.get(entry.suffix)
    if not entry.is_file() or content_type is None or not _FILE_NAME.fullmatch(entry.name):
        kinds = " ".join(_TYPES)
        raise ValueError(f"{entry}: only files with plain names are served, of the kinds {kinds}")
    if entry.stat().st_size > MAX_FILE:
        raise ValueError(f"{entry}: larger than {MAX_FILE} bytes")
    return ThemeFile(content_type, entry.read_bytes())


def _style(folders: list[Path]) -> Markup:
    """The last style sheet of `folders`, with line ends as a browser hashes them."""
    file = [found for folder in folders if (found := folder / "style.css").exists()][-1]
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: {error}") from error
    if "</style" in text.lower():
        raise ValueError(f"{file}: a style sheet that stands in a page cannot hold </style")
    return Markup(text)  # noqa: S704  (ours or the operator's, not a visitor's text)


def _policy(style: str, *, with_files: bool) -> str:
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    files = "img-src 'self'; font-src 'self'; " if with_files else ""
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; {files}form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )


def _environment(folders: list[Path], style: Markup) -> Environment:
    """Give the templates of `folders`, an earlier one's before a later one's of the name."""
    loaders: list[BaseLoader] = [FileSystemLoader(folder / "templates") for folder in folders]
    templates = Environment(
        loader=ChoiceLoader([*loaders, PrefixLoader({"gate": loaders[-1]})]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,
        cache_size=-1,
    )
    templates.globals["style"] = style
    templates.filters["moment"] = _moment
    # The old style on purpose: what it gives is text, and escaped. The new one would take any
    # text for markup, a visitor's that was handed to `_()` included.
    i18n: Any = templates
    i18n.install_gettext_callables(_gettext, _ngettext, newstyle=False)
    return templates


def _compile(templates: Environment, name: str) -> None:
    try:
        templates.get_template(name)
    except TemplateSyntaxError as error:
        raise ValueError(f"{error.filename or name}:{error.lineno}: {error.message}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"templates/{name}: {error}") from error


@pass_context
def _gettext(context: Context, text: str) -> str:
    return _catalogue(context).gettext(str(text))


@pass_context
def _ngettext(context: Context, one: str, many: str, number: int) -> str:
    return _catalogue(context).ngettext(one, many, number)


@pass_context
def _moment(context: Context, text: str) -> str:
    """Give a time in ISO 8601 as people of the language write it, in UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return format_datetime(moment, "d MMM y HH:mm 'UTC'", locale=_catalogue(context).locale)


def _catalogue(context: Context) -> Catalogue:
    found: Catalogue = context["catalogue"]
    return found
