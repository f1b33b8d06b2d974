"""GET /models: what each model is and how it was made."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field

from service.card import ModelCard
from service.colorizer import Colorizer
from service.error_answers import problem_responses
from service.routes import LoadedRegistry
from service.routes.parameters import show
from service.routes.problems import LOADED, UNKNOWN_MODEL


class ServedModel(ModelCard):
    """A card, and what computes the model here."""

    execution_providers: list[str] = Field(description="The most wanted first.", examples=[["cpu"]])


router = APIRouter(prefix="/models", tags=["models"])


@router.get("", summary="List the models", responses=problem_responses(*LOADED))
async def list_models(registry: LoadedRegistry) -> list[ServedModel]:
    """Answer the cards of all models, by name, numbers by their value."""
    return [describe(colorizer) for colorizer in registry]


@router.get(
    "/{name}",
    summary="Describe a model",
    responses=problem_responses(*LOADED, UNKNOWN_MODEL),
)
async def describe_model(
    name: Annotated[
        str,
        Path(
            description="One of the names that `GET /models` lists.",
            openapi_examples=show({"geometric and fluid pictures": "v12"}),
        ),
    ],
    registry: LoadedRegistry,
) -> ServedModel:
    """Answer the card of one model."""
    return describe(registry.get(name))


def describe(colorizer: Colorizer) -> ServedModel:
    """Describe a model as it is served."""
    return ServedModel(**colorizer.card.model_dump(), execution_providers=list(colorizer.providers))
