"""LitServe: an API process, and a worker process for each slot.

python -m bench.peers.litserve_server --port PORT
"""

# LitServe reads the annotations, so they must be types, not strings.
import argparse

import litserve
from fastapi import Request, Response

from bench.peers import load_pipeline
from service.pipeline import ColorizedPicture
from service.settings import Settings


class ColorizeApi(litserve.LitAPI):  # type: ignore[misc]
    """The stages that LitServe asks for."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - there is only the CPU
        """Load the model, once in each worker."""
        self.colorize = load_pipeline()

    def decode_request(self, request: Request) -> bytes:
        """Take the file out of the form, which is what LitServe passes here."""
        data: bytes = request["file"].file.read()
        return data

    def predict(self, data: bytes) -> ColorizedPicture:
        """Colour it."""
        return self.colorize(data)

    def encode_response(self, picture: ColorizedPicture) -> Response:
        """Answer the picture itself."""
        return Response(picture.data, media_type=picture.media_type)


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    port: int = parser.parse_args().port
    server = litserve.LitServer(
        ColorizeApi(api_path="/colorize"),
        accelerator="cpu",
        workers_per_device=Settings().working_slots,
        fast_queue=True,
    )
    server.run(
        host="127.0.0.1",
        port=port,
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
    )


if __name__ == "__main__":
    main()
