"""Parameters that a route does not know, or that come twice: they are told of, not ignored.

A misspelt name would otherwise give a picture in other colours than were asked for,
and nobody would say why.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.datastructures import UploadFile

from service.errors import InvalidRequestError, Violation, shorten


@dataclass(frozen=True)
class KnownNames:
    """What a route takes.

    Parameters
    ----------
    query : tuple of str
    parts : tuple of str
        Of the form.
    lists : frozenset of str
        Those of them that may come several times.
    """

    query: tuple[str, ...]
    parts: tuple[str, ...]
    lists: frozenset[str]

    def check(self, location: str, names: Iterable[tuple[str, object]]) -> Iterator[Violation]:
        """Yield what is wrong with the names of a query, or of a form."""
        here, there = (self.query, self.parts) if location == "query" else (self.parts, self.query)
        values: dict[str, list[object]] = {}
        for name, value in names:
            values.setdefault(name, []).append(value)
        for name, received in values.items():
            if name not in here:
                accepted = self._say_where(name, here, there, location)
            elif len(received) > 1 and name not in self.lists:
                accepted = "given once"
            else:
                continue
            yield Violation(
                location=location,
                name=shorten(name),
                received=shorten(", ".join(map(_describe, received))),
                accepted=accepted,
            )

    @staticmethod
    def _say_where(name: str, here: tuple[str, ...], there: tuple[str, ...], location: str) -> str:
        if name in there:
            return "a part of the form" if location == "query" else f"in the address: ?{name}="
        likely = get_close_matches(name.lower(), here + there, n=1)
        return f"no such name; perhaps {likely[0]}" if likely else f"one of {', '.join(here)}"


async def refuse_strangers(request: Request) -> None:
    """Make sure that a request says nothing that would be ignored.

    Raises
    ------
    InvalidRequestError
        When it does; it names what, and what may be meant.
    """
    known = _list_known(request.scope["route"])
    # Read already, for the route.
    form = await request.form()
    violations = [
        *known.check("query", request.query_params.multi_items()),
        *known.check("form", form.multi_items()),
    ]
    if violations:
        raise InvalidRequestError(violations)


def _list_known(route: APIRoute) -> KnownNames:
    """List what a route and all that it depends on takes."""
    dependants = list(_with_dependencies(route.dependant))
    query = [field for dependant in dependants for field in dependant.query_params]
    parts = [field for dependant in dependants for field in dependant.body_params]
    lists = {field.alias for field in parts if get_origin(field.field_info.annotation) is list}
    return KnownNames(
        tuple(field.alias for field in query),
        tuple(field.alias for field in parts),
        frozenset(lists),
    )


def _with_dependencies(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for dependency in dependant.dependencies:
        yield from _with_dependencies(dependency)


def _describe(value: object) -> str:
    return f"the file {value.filename}" if isinstance(value, UploadFile) else str(value)
