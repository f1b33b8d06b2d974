"""Names in archives are those of the uploads, safe everywhere, and never the same twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.names import UniqueNames


@pytest.mark.parametrize(
    ("upload_name", "expected"),
    [
        ("hills.png", "hills-v12.png"),
        ("画.jpeg", "画-v12.png"),
        ("../../etc/passwd", "passwd-v12.png"),
        ("C:\\pictures\\hills.png", "hills-v12.png"),
        ('a<b>:"c|d?e*.png', "a_b___c_d_e_-v12.png"),
        ("line\nbreak\0.png", "linebreak-v12.png"),
        ("..", "picture-v12.png"),
        (None, "picture-v12.png"),
        # Three bytes each: as many whole letters as fit.
        ("画" * 300, "画" * 66 + "-v12.png"),
    ],
)
def test_take_keeps_what_is_safe(upload_name: str | None, expected: str) -> None:
    assert UniqueNames().take(upload_name, "-v12.png") == expected


def test_take_numbers_what_is_taken() -> None:
    names = UniqueNames()
    uploads = ["a.png", "a.jpg", "A.png", "a-2.png", "b/a.png", "\u00e9.png", "e\u0301.png"]

    assert [names.take(name, "-v1.png") for name in uploads] == [
        *("a-v1.png", "a-2-v1.png", "A-3-v1.png", "a-2-2-v1.png", "a-4-v1.png"),
        *("\u00e9-v1.png", "e\u0301-2-v1.png"),
    ]


@given(st.lists(st.one_of(st.none(), st.text()), max_size=20))
def test_take_any_names_gives_flat_distinct_ones(uploads: list[str | None]) -> None:
    names = UniqueNames()

    taken = [names.take(upload, "-v1.png") for upload in uploads]

    assert len({name.casefold() for name in taken}) == len(taken)
    for name in taken:
        assert name.endswith("-v1.png")
        assert name.isprintable()
        assert not set(name) & set('/\\<>:"|?*')
        assert not name.startswith((".", " "))
        assert len(name.encode()) < 255
