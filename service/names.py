"""Names of files, from names that clients sent: anything, paths and line breaks included."""

from __future__ import annotations

import re
import unicodedata

STEM_LIMIT = 100
"""Characters of an upload's name that the answer's name keeps."""
STEM_BYTES_LIMIT = 200
"""Bytes of it in UTF-8, inside an archive: file systems take names of 255."""

UNPORTABLE = re.compile(r'[<>:"|?*]')
"""Characters that file names cannot have everywhere."""


def safe_stem(upload_name: str | None) -> str:
    """Reduce a name to what is safe in that of a file.

    Parameters
    ----------
    upload_name : str or None
        As the client sent it.

    Returns
    -------
    stem : str
        Without folders and extension; never empty, no more than `STEM_LIMIT`
        characters, all of them printable.
    """
    base = (upload_name or "").replace("\\", "/").rpartition("/")[2]
    stem = base.rpartition(".")[0] or base
    printable = "".join(character for character in stem if character.isprintable())
    return printable.strip(" .")[:STEM_LIMIT] or "picture"


class UniqueNames:
    """Names for the files of one archive, no two of which are the same anywhere.

    Also not on file systems that take upper and lower case, or the ways to
    compose a letter, for the same.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, upload_name: str | None, ending: str) -> str:
        """Name a file after an upload.

        Parameters
        ----------
        upload_name : str or None
            As the client sent it.
        ending : str
            Comes in place of the extension, such as ``-v12.png``.

        Returns
        -------
        name : str
            With a number after the stem when the name is taken.
        """
        portable = UNPORTABLE.sub("_", safe_stem(upload_name))
        stem = portable.encode()[:STEM_BYTES_LIMIT].decode(errors="ignore")
        name, number = f"{stem}{ending}", 1
        while (key := unicodedata.normalize("NFC", name).casefold()) in self._taken:
            number += 1
            name = f"{stem}-{number}{ending}"
        self._taken.add(key)
        return name
