"""Settings, read from environment variables: `COLORIZE_` and the name in capitals."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import AliasChoices, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "COLORIZE_"


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
    """Return `models/` of the checkout, or of the working directory when installed."""
    beside_package = Path(__file__).resolve().parent.parent / "models"
    return beside_package if beside_package.is_dir() else Path("models")


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
    max_batch_files: int = Field(
        default=100,
        gt=0,
        description="Pictures that one request to `/colorize/batch` may have; "
        "more is answered with 422.",
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
        if self.working_slots * self.intra_op_threads > cores:
            raise ValueError(
                "COLORIZE_WORKING_SLOTS x COLORIZE_INTRA_OP_THREADS must be at most the available "
                f"cores, {cores}. Received: {self.working_slots} x {self.intra_op_threads}"
            )
        return self
