"""GET /models: what each model is and how it was made."""

from fastapi import APIRouter
from pydantic import Field

from service.card import ModelCard
from service.colorizer import Colorizer
from service.errors import NotReadyError, UnknownModelError, problem_responses
from service.routes import LoadedRegistry


class ServedModel(ModelCard):
    """A card, and what computes the model here."""

    execution_providers: list[str] = Field(description="The most wanted first.", examples=[["cpu"]])


router = APIRouter(prefix="/models", tags=["models"])


@router.get("", summary="List the models", responses=problem_responses(NotReadyError))
async def list_models(registry: LoadedRegistry) -> list[ServedModel]:
    """Answer the cards of all models, by name, numbers by their value."""
    return [describe(colorizer) for colorizer in registry]


@router.get(
    "/{name}",
    summary="Describe a model",
    responses=problem_responses(UnknownModelError, NotReadyError),
)
async def describe_model(name: str, registry: LoadedRegistry) -> ServedModel:
    """Answer the card of one model."""
    return describe(registry.get(name))


def describe(colorizer: Colorizer) -> ServedModel:
    """Describe a model as it is served."""
    return ServedModel(**colorizer.card.model_dump(), execution_providers=list(colorizer.providers))
