"""An object store in a folder: ETags, no renaming, and faults that pass.

It answers to `s3://`, and lies where the variable `BUCKET` says. With `BUCKET_FAULTS`
every file can be read, and written, at the second attempt only.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec


class Bucket(fsspec.AbstractFileSystem):  # type: ignore[misc]
    protocol = ("s3",)

    def ls(self, path: str, **_: Any) -> list[dict[str, Any]]:
        folder = self._find(path)
        if not folder.is_dir():
            raise FileNotFoundError(path)
        return [self._describe(f"{path.rstrip('/')}/{child.name}") for child in folder.iterdir()]

    def cat_file(self, path: str, **_: Any) -> bytes:
        self._fail_once("read", path)
        return self._find(path).read_bytes()

    def pipe_file(self, path: str, value: bytes, **_: Any) -> None:
        self._fail_once("write", path)
        file = self._find(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        # Under its name when all of it has come, as stores do.
        with tempfile.NamedTemporaryFile(dir=self._aside(), delete=False) as coming:
            coming.write(value)
        Path(coming.name).replace(file)

    def rm_file(self, path: str) -> None:
        self._find(path).unlink()

    def mv(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError("stores do not rename")

    def _describe(self, path: str) -> dict[str, Any]:
        name = self._strip_protocol(path)
        file = self._find(path)
        if file.is_dir():
            return {"name": name, "type": "directory", "size": 0}
        about = file.stat()
        etag = hashlib.md5(file.read_bytes()).hexdigest()
        written = datetime.fromtimestamp(about.st_mtime, UTC)
        return {
            **{"name": name, "type": "file", "size": about.st_size},
            **{"ETag": f'"{etag}"', "LastModified": written},
        }

    def _find(self, path: str) -> Path:
        return Path(os.environ["BUCKET"], self._strip_protocol(path))

    def _aside(self) -> Path:
        folder = Path(os.environ["BUCKET"] + "-aside")
        folder.mkdir(exist_ok=True)
        return folder

    def _fail_once(self, verb: str, path: str) -> None:
        if "BUCKET_FAULTS" not in os.environ:
            return
        name = hashlib.md5(f"{verb} {path}".encode()).hexdigest()
        try:
            (self._aside() / name).touch(exist_ok=False)
        except FileExistsError:
            return
        raise OSError(f"Please reduce your request rate: {path}")


def register() -> None:
    """Make it what `s3://` is in this process."""
    fsspec.register_implementation("s3", Bucket, clobber=True)
