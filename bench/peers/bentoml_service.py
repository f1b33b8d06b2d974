"""BentoML: one worker process, with a thread for each slot.

bentoml serve bench.peers.bentoml_service:Colorize --port PORT
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import bentoml
from bentoml.validators import ContentType

from bench.peers import load_pipeline
from service.settings import Settings


@bentoml.service(
    workers=1, threads=Settings().working_slots, logging={"access": {"enabled": False}}
)
class Colorize:
    """The service, in BentoML's terms."""

    def __init__(self) -> None:
        self.colorize_bytes = load_pipeline()

    @bentoml.api  # type: ignore[untyped-decorator]
    def colorize(
        self, file: Annotated[Path, ContentType("image/jpeg")], ctx: bentoml.Context
    ) -> Annotated[Path, ContentType("image/jpeg")]:
        """Answer the picture in colour."""
        picture = self.colorize_bytes(file.read_bytes())
        answer = Path(ctx.temp_dir) / f"picture{picture.extension}"
        answer.write_bytes(picture.data)
        return answer
