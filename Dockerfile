# Two images: the service (the default), and `--target training`. docs/deployment.md tells how to use them.
#
# What is tested is what is shipped: the version of Python is the one that the tests run on. To pin
# the very bytes of the base, name its digest: --build-arg PYTHON_IMAGE=python:3.11-slim@sha256:...
ARG PYTHON_IMAGE=python:3.11-slim

# Whatever is only needed to build stays in this stage.
FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
    PYTHONDONTWRITEBYTECODE=1
# For `strip` below: of this stage only, so any version will do.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends binutils \
    && rm -rf /var/lib/apt/lists/*
# /image is what will be / of the service.
COPY requirements/serve.txt /build/requirements.txt
# Wheels only: a package that would have to be compiled is an error, not a compiler.
RUN pip install --require-hashes --only-binary :all: --no-compile --prefix /image/usr/local \
    --requirement /build/requirements.txt
COPY deploy/image /build/
# Two packages come with what debuggers read, twelve megabytes of it.
RUN site=$(echo /image/usr/local/lib/python3.*/site-packages) \
    && python /build/lean.py "${site}" \
    && strip --strip-unneeded "${site}"/uvloop/*.so "${site}"/httptools/parser/*.so \
        "${site}"/PIL/_imaging.*.so
WORKDIR /image/app
COPY LICENSE ./
COPY models ./models/
COPY samples ./samples/
COPY service ./service/
# Whoever runs the image may read everything and change nothing; equal sources give equal bytes.
ARG SOURCE_DATE_EPOCH=0
RUN site=$(echo /image/usr/local/lib/python3.*/site-packages) \
    && PYTHONPATH="${site}:/image/app" python /build/rehearse.py /image \
    && chmod -R u=rwX,go=rX /image \
    && find /image -exec touch --no-dereference --date "@${SOURCE_DATE_EPOCH}" {} +

# From nothing to models that are served, in a folder that is mounted at /work.
FROM ${PYTHON_IMAGE} AS training
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Colorization Autoencoder: training" \
      org.opencontainers.image.description="Trains the models of the Colorization Autoencoder" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT"
COPY requirements/train.txt /tmp/requirements.txt
RUN pip install --require-hashes --only-binary :all: --no-cache-dir --disable-pip-version-check \
        --root-user-action ignore --requirement /tmp/requirements.txt \
    && rm /tmp/requirements.txt
COPY LICENSE /app/
COPY service /app/service/
COPY training /app/training/
WORKDIR /work
# What is in the mounted folder is data, never a module; caches of libraries are as short-lived
# as the container.
ENV PYTHONPATH=/app PYTHONSAFEPATH=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp TF_CPP_MIN_LOG_LEVEL=2
USER 65532:65532
ENTRYPOINT ["python", "-m", "training"]
CMD ["--help"]

FROM ${PYTHON_IMAGE} AS service
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Colorization Autoencoder" \
      org.opencontainers.image.description="Colours black-and-white abstract pictures over HTTP" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT"
# All at once: only then do the folders keep their times, too.
COPY --from=build /image /
WORKDIR /app
# Whatever writes, writes to /tmp.
ENV HOST=0.0.0.0 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE 8000
# Without `site` the probe starts quicker; it needs no package.
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=3 \
    CMD ["python", "-S", "-m", "service.probe"]
CMD ["python", "-m", "service"]
