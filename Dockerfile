# medsweep in a container, with its tested versions; from the root of the repository:
#
#   docker build -t medsweep .                              # with PyTorch's default build: CUDA
#   docker build -t medsweep --build-arg TORCH_INDEX=URL .  # with another, such as the one for CPUs:
#                                                           # README.md, Installing, has where URL is
#   docker run --rm --init --shm-size 4g -v "$PWD:/data" medsweep run sweep.yaml --out runs/first
#
# With GPUs, add --gpus all. The user inside has the id 1000, and must be able to write to /data.
# Base models are mounted like notes; none is in the image.
FROM debian:13-slim AS build
SHELL ["/bin/sh", "-ec"]
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# Debian keeps no older version of a package that could be named here.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv
ARG TORCH_INDEX=""
WORKDIR /build
COPY constraints.txt .
RUN python3 -m venv /opt/medsweep && /opt/medsweep/bin/pip install --only-binary :all: --no-deps \
    ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$(grep ^torch== constraints.txt)"
COPY pyproject.toml README.md LICENSE ./
COPY medsweep medsweep
RUN /opt/medsweep/bin/pip install --only-binary :all: -c constraints.txt '.[constrained,formats,gguf]'

FROM debian:13-slim
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends python3 ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 medsweep && mkdir /data && chown medsweep /data
COPY --from=build /opt/medsweep /opt/medsweep
ENV PATH=/opt/medsweep/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER 1000
WORKDIR /data
ENTRYPOINT ["medsweep"]
CMD ["--help"]
