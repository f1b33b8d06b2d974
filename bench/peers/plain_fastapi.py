"""FastAPI as its tutorial has it: an upload, a worker thread, an answer.

uvicorn bench.peers.plain_fastapi:app
"""

from fastapi import FastAPI, Response, UploadFile

from bench.peers import load_pipeline

app = FastAPI()
colorize = load_pipeline()


@app.post("/colorize")
def colorize_picture(file: UploadFile) -> Response:
    """Answer the picture in colour."""
    picture = colorize(file.file.read())
    return Response(picture.data, media_type=picture.media_type)


@app.get("/health/live")
async def live() -> None:
    """Answer at all."""
