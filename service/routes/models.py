"""GET /models: what each model is and how it was made."""

from fastapi import APIRouter

from service.card import ModelCard
from service.errors import NotReadyError, UnknownModelError, problem_responses
from service.routes import LoadedRegistry

router = APIRouter(prefix="/models", tags=["models"])


@router.get("", summary="List the models", responses=problem_responses(NotReadyError))
async def list_models(registry: LoadedRegistry) -> list[ModelCard]:
    """Answer the cards of all models, by name, numbers by their value."""
    return [colorizer.card for colorizer in registry]


@router.get(
    "/{name}",
    summary="Describe a model",
    responses=problem_responses(UnknownModelError, NotReadyError),
)
async def describe_model(name: str, registry: LoadedRegistry) -> ModelCard:
    """Answer the card of one model."""
    return registry.get(name).card
