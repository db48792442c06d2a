"""The Docker builder: BuildPlan → Dockerfile and context → an image in a Docker or Podman engine."""

from repro_docker.builder import DockerBuilder
from repro_docker.dockerfile import render_dockerfile

__all__ = ["DockerBuilder", "render_dockerfile"]
