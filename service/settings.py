"""Settings, read from environment variables: `COLORIZE_` and the name in capitals."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "COLORIZE_"
SECRET_FIELDS = ("api_keys", "colorize_api_keys")


QUEUE_PER_SLOT = 16
"""Requests that may wait for each slot: a second or two of small pictures."""


def available_cores(
    membership_file: Path = Path("/proc/self/cgroup"), cgroup_root: Path = Path("/sys/fs/cgroup")
) -> int:
    """Count the cores that this process may really use.

    The smaller of its CPU affinity and the CPU quota of its control group, of
    version 2 or 1: a container limited to two CPUs on a machine with 64 has two.

    Parameters
    ----------
    membership_file, cgroup_root : Path
        Where the kernel tells the groups of the process, and their limits.

    Returns
    -------
    cores : int
        At least 1; a fraction of a core does not count.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    for group in _cpu_groups(membership_file, cgroup_root):
        # The quota of a parent binds its children too.
        for folder in (group, *group.parents):
            if folder == cgroup_root.parent:
                break
            cores = min(cores, _quota_cores(folder) or cores)
    return max(1, cores)


def _cpu_groups(membership_file: Path, cgroup_root: Path) -> list[Path]:
    """Find the folders of the process's CPU control groups."""
    try:
        lines = membership_file.read_text().splitlines()
    except OSError:
        return []
    folders = [cgroup_root]
    for line in lines:
        # "0::/path" is version 2, "4:cpu,cpuacct:/path" is version 1.
        _, controllers, path = line.split(":", 2)
        if not controllers:
            folders.append(cgroup_root / path.lstrip("/"))
        elif "cpu" in controllers.split(","):
            hierarchy = cgroup_root / controllers
            # Inside a container the path is often that of the host, and absent.
            folders += [hierarchy, hierarchy / path.lstrip("/")]
    return folders


def _quota_cores(folder: Path) -> int | None:
    """Read the CPU quota of one control group, in whole cores; None is no limit."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        return None if quota in ("max", "-1") else max(1, int(quota) // int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _default_models_dir() -> Path:
    """Return the models of the wheel or checkout, or else `models/` of the working directory."""
    package = Path(__file__).resolve().parent
    shipped = (package / "models", package.parent / "models")
    return next((folder for folder in shipped if folder.is_dir()), Path("models"))


LogFormat = Literal["auto", "json", "human"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

# One word after another, with commas between; not JSON, as pydantic-settings has it.
Words = Annotated[tuple[str, ...], NoDecode]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode]

KEY = re.compile(r"[!-+\--~]+")
"""Printable ASCII without spaces and commas."""


class Settings(BaseSettings):
    """What an operator can set; `docs/configuration.md` has the same as a table."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, populate_by_name=True, extra="forbid"
    )

    models_dir: Path = Field(
        default_factory=_default_models_dir,
        description="Folder of the models: `NAME.onnx`, each with its card `NAME.json`.",
    )
    host: str = Field(
        default="127.0.0.1",
        validation_alias=AliasChoices(f"{PREFIX}HOST", "HOST"),
        description="Address to listen on; `0.0.0.0` for every network interface.",
    )
    port: int = Field(
        default=8000,
        ge=0,
        le=65535,
        validation_alias=AliasChoices(f"{PREFIX}PORT", "PORT"),
        description="Port to listen on; 0 lets the system choose a free one.",
    )
    default_model: str = Field(
        default="v12", description="Model that colours when a request names none."
    )
    strict_models: bool = Field(
        default=True,
        description="Whether a model that cannot be used stops the service at its start; "
        "if not, it is told in the log, and the others serve.",
    )
    execution_providers: Words = Field(
        default=("cpu",),
        min_length=1,
        description="What computes, comma separated, the most wanted first; "
        "`cuda,cpu` leaves to the CPU what CUDA cannot do.",
    )
    api_keys: Secrets = Field(
        default=(),
        description="Keys, comma separated, of which a request must have one; "
        "everybody may come when there are none.",
    )
    api_keys_file: Path | None = Field(
        default=None,
        description="File with more of them, one a line; lines that begin with `#` are left out.",
    )
    cors_origins: Words = Field(
        default=(),
        description="Origins, comma separated, whose pages may use the service from a browser; "
        "`*` for all.",
    )
    log_format: LogFormat = Field(
        default="auto",
        description="`json`, `human`, or `auto`: for people on a terminal, else JSON.",
    )
    log_level: LogLevel = Field(
        default="INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`."
    )
    tracing: bool = Field(
        default=False,
        description="Whether to send spans to OpenTelemetry; needs the extra `telemetry`.",
    )
    max_upload_bytes: int = Field(
        default=64 * 1024 * 1024,
        gt=0,
        description="Bytes that a request body may have; more is answered with 413.",
    )
    max_picture_pixels: int = Field(
        default=100_000_000,
        gt=0,
        description="Pixels that a picture may have, read from its header before decoding; "
        "more is answered with 413.",
    )
    max_tensor_pixels: int = Field(
        default=1024 * 1024,
        gt=0,
        description="Pixels that the lightness of one request to `/v2` may have, times its "
        "answers; more is answered with 413.",
    )
    max_batch_files: int = Field(
        default=100,
        gt=0,
        description="Pictures that one request to `/colorize/batch` may have; "
        "more is answered with 422.",
    )
    max_total_upload_bytes: int = Field(
        default=512 * 1024 * 1024,
        gt=0,
        description="Bytes that the bodies of all requests under way may have together; "
        "more is answered with 503.",
    )
    max_total_answer_bytes: int = Field(
        default=1024 * 1024 * 1024,
        gt=0,
        description="Bytes of answers that clients may have not taken yet, of all together; "
        "while there are more, pictures are answered with 503.",
    )
    max_form_fields: int = Field(
        default=32,
        gt=0,
        description="Fields without a file that a form may have; more is answered with 400.",
    )
    max_field_bytes: int = Field(
        default=256 * 1024,
        gt=0,
        description="Bytes that a form field may have which is no file; more is answered with 400.",
    )
    max_header_bytes: int = Field(
        default=64 * 1024,
        gt=0,
        description="Bytes that address and headers of a request may have; "
        "more is answered with 431.",
    )
    header_timeout_s: float = Field(
        default=10,
        gt=0,
        description="Seconds in which a connection must say what it wants, else it is closed.",
    )
    upload_timeout_s: float = Field(
        default=10,
        gt=0,
        description="Seconds in which a request body must be complete, beside one for each "
        "`min_upload_bytes_per_s` that have come; then 408.",
    )
    min_upload_bytes_per_s: float = Field(
        default=10_000,
        gt=0,
        description="Bytes a second that a client must send, and take of its answer, "
        "to be waited for.",
    )
    request_timeout_s: float = Field(
        default=60,
        gt=0,
        description="Seconds that a complete request may wait and be worked at; then 504.",
    )
    shutdown_timeout_s: float = Field(
        default=25,
        ge=0,
        description="Seconds that requests in work are given when the service is stopped.",
    )
    max_connections: int = Field(
        default=512,
        gt=0,
        description="Connections at the same time; one more is answered with 503 and closed.",
    )
    queue_length: int = Field(
        default_factory=lambda: QUEUE_PER_SLOT * available_cores(),
        ge=0,
        description="Requests that may wait for a slot; one more is answered with 503 at once. "
        "By default 16 for each of `working_slots`.",
    )
    saturated_after_s: float = Field(
        default=10,
        ge=0,
        description="Seconds of turning requests away after which `/health/ready` answers 503.",
    )
    working_slots: int = Field(
        default_factory=available_cores,
        gt=0,
        description="Pictures coloured at the same time. "
        "By default the available cores, divided by `intra_op_threads`.",
    )
    intra_op_threads: int = Field(
        default=1,
        gt=0,
        description="Threads that one prediction may use. If only `working_slots` is set, "
        "the cores that each slot has for itself.",
    )

    @field_validator("api_keys", "cors_origins", "execution_providers", mode="before")
    @classmethod
    def _split_words(cls, value: object) -> object:
        return [word.strip() for word in value.split(",")] if isinstance(value, str) else value

    @field_validator("api_keys")
    @classmethod
    def _check_keys(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not all(KEY.fullmatch(key.get_secret_value()) for key in keys):
            raise ValueError("each key must be printable ASCII, without spaces and commas")
        return keys

    @model_validator(mode="after")
    def _read_keys(self) -> Settings:
        """Take over the keys of the file; one without any would leave the door open."""
        if self.api_keys_file is None:
            return self
        try:
            lines = self.api_keys_file.read_text("ascii").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"COLORIZE_API_KEYS_FILE: cannot be read: {error}") from error
        words = [line.strip() for line in lines]
        keys = [SecretStr(word) for word in words if word and not word.startswith("#")]
        if not keys:
            raise ValueError(f"COLORIZE_API_KEYS_FILE: no key in {self.api_keys_file}")
        if not all(KEY.fullmatch(key.get_secret_value()) for key in keys):
            raise ValueError(
                f"COLORIZE_API_KEYS_FILE: a line of {self.api_keys_file} is no key: "
                "printable ASCII, without spaces and commas"
            )
        self.api_keys = (*self.api_keys, *keys)
        return self

    @model_validator(mode="after")
    def _share_cores(self) -> Settings:
        """Fill in slots and threads so that together they never exceed the cores.

        One thread for each of many slots serves more pictures a second than many
        threads for one slot: a prediction is only part of the work.
        """
        cores = available_cores()
        if "working_slots" not in self.model_fields_set:
            self.working_slots = max(1, cores // self.intra_op_threads)
        elif "intra_op_threads" not in self.model_fields_set:
            self.intra_op_threads = max(1, cores // self.working_slots)
        if "queue_length" not in self.model_fields_set:
            self.queue_length = QUEUE_PER_SLOT * self.working_slots
        if self.working_slots * self.intra_op_threads > cores:
            raise ValueError(
                "COLORIZE_WORKING_SLOTS x COLORIZE_INTRA_OP_THREADS must be at most the available "
                f"cores, {cores}. Received: {self.working_slots} x {self.intra_op_threads}"
            )
        return self


def describe_settings_errors(error: ValidationError) -> str:
    """Say which variables cannot be used, and why, a line for each."""
    lines = []
    for details in error.errors():
        message = details["msg"].removeprefix("Value error, ")
        if details["loc"]:
            field = str(details["loc"][0])
            variable = field if field.isupper() else f"COLORIZE_{field.upper()}"
            message = f"{variable}: {message}"
            # Keys are nobody's business, not even that of the log.
            if field.lower() not in SECRET_FIELDS:
                message += f". Received: {details['input']}"
        lines.append(f"error: {message}")
    return "\n".join(lines)
