"""Where things live, read from the environment (`DNALM_*`) once, in one place."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PACKAGE_ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """The folders and addresses that dnalm uses; each field is the environment variable `DNALM_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="DNALM_", extra="ignore")

    home: Path = Field(Path.home() / ".dnalm", description="runs, datasets, models and caches of this installation")
    data_mirror: Path | None = Field(None, description="a folder with local copies of the catalogue's files")
    shipped: Path = Field(PACKAGE_ROOT, description="the folder that holds the shipped models/ and data/")

    database_url: str | None = Field(None, description="the lab's database; none: the SQLite file HOME/lab.db")
    slots: int | None = Field(None, ge=1, le=1024, description="jobs at once where there is no GPU; none: 1")
    quota_gb: float | None = Field(None, gt=0, description="GB that one person's things may take; none: no limit")
    backend: Literal["local", "slurm"] = Field("local", description="where jobs run: this server, or a Slurm cluster")
    slurm_partition: str | None = Field(None, description="partition of Slurm; none: its default")
    slurm_account: str | None = Field(None, description="account of Slurm that jobs are charged to; none: the default")
    slurm_options: str = Field("", description="more options of sbatch, as at the shell: `--qos=lab --mem=32G`")
    slurm_gpu: str = Field("gpu", pattern=r"^gpu(:[\w.-]+)?$", description="what a GPU is called: gpu, or gpu:a100")
    slurm_cpus: int = Field(2, ge=1, le=256, description="cores for each process of a job in Slurm")
    nodes: int = Field(1, ge=1, le=64, description="machines that one run is spread over; the Slurm backend sets it")

    @property
    def runs(self) -> Path:
        """Run folders, one a piece of work."""
        return self.home / "runs"

    @property
    def datasets(self) -> Path:
        """Dataset folders made by recipes or uploads."""
        return self.home / "datasets"

    @property
    def models(self) -> Path:
        """Bundles imported or promoted from runs."""
        return self.home / "models"

    @property
    def cache(self) -> Path:
        """Downloaded files and encoded corpora, which are made again where they are gone; and what people uploaded."""
        return self.home / "cache"

    @property
    def shipped_models(self) -> Path:
        """The bundles that come with dnalm."""
        return self.shipped / "models"

    @property
    def shipped_data(self) -> Path:
        """The catalogue, the published tables and the demo data."""
        return self.shipped / "data"


@cache
def settings() -> Settings:
    """The settings of this process. Tests clear the cache after they change the environment."""
    return Settings()
