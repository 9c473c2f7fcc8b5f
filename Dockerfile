# docker build -t hurrah .  &&  docker run -p 8000:8000 hurrah
# The base may be any image with Python 3.11 or newer and venv.
ARG BASE_IMAGE=python:3.13-slim-bookworm


FROM ${BASE_IMAGE} AS build

WORKDIR /build
COPY requirements/run.txt .
RUN python3 -m venv /opt/hurrah \
    && /opt/hurrah/bin/python -m pip install --quiet --no-cache-dir --no-compile \
        --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r run.txt \
    && /opt/hurrah/bin/python -m pip uninstall --quiet --yes pip setuptools

WORKDIR /app
COPY server server
COPY static static
COPY templates templates
COPY data/corpora data/corpora
COPY docs/course.md docs/course.md
COPY LICENSE .
# The server's user cannot write here, so the bytecode is compiled now.
RUN /opt/hurrah/bin/python -m compileall -q /opt/hurrah/lib /app


FROM ${BASE_IMAGE}

LABEL org.opencontainers.image.title="Hurrah" \
      org.opencontainers.image.description="Watch a recurrent network learn to write" \
      org.opencontainers.image.licenses="MIT"

# A number, not a name, so that an orchestrator can verify that it is not root.
RUN install --directory --owner=10001 --group=10001 /data
COPY --from=build /opt/hurrah /opt/hurrah
COPY --from=build /app /app

WORKDIR /app
USER 10001:10001
ENV HURRAH_HOST=0.0.0.0 \
    HURRAH_PORT=8000 \
    HURRAH_DATA_DIR=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["/opt/hurrah/bin/python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['HURRAH_PORT'] + '/healthz', timeout=4)"]
ENTRYPOINT ["/opt/hurrah/bin/python", "-m", "server", "serve"]
