# docker build -t hurrah .  &&  docker run -p 8000:8000 hurrah
# With a read-only file system, as any user: docker run --read-only --user 12345 -p 8000:8000 hurrah
# With Dask: docker build --build-arg REQUIREMENTS=cluster.txt -t hurrah-cluster .
# The base may be any image with Python 3.11 or newer and venv.
ARG BASE_IMAGE=python:3.13-slim-bookworm


FROM ${BASE_IMAGE} AS build

# Names a file in requirements/: run.txt, or cluster.txt with the extra of that name.
ARG REQUIREMENTS=run.txt

WORKDIR /build
COPY requirements/${REQUIREMENTS} requirements.txt
RUN python3 -m venv /opt/hurrah \
    && /opt/hurrah/bin/python -m pip install --quiet --no-cache-dir --no-compile \
        --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r requirements.txt \
    && /opt/hurrah/bin/python -m pip uninstall --quiet --yes pip setuptools \
    # A seventh of their size: tests, and what Plotly has for browsers and notebooks.
    && cd /opt/hurrah/lib/python*/site-packages \
    && find numpy -type d -name tests -prune -exec rm -r {} + \
    && rm -rf plotly/labextension plotly/package_data/plotly.min.js

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

# A number, not a name, so that an orchestrator can verify that it is not root. Any other user may
# take its place: what the server writes in /data is private to its own user.
RUN install --directory --owner=10001 --group=0 --mode=1777 /data
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
    CMD ["/opt/hurrah/bin/python", "-c", "import os, ssl, urllib.request as r; s = 's' * bool(os.environ.get('HURRAH_TLS_CERT')); r.urlopen(f'http{s}://127.0.0.1:' + os.environ['HURRAH_PORT'] + '/healthz', timeout=4, context=ssl._create_unverified_context())"]
ENTRYPOINT ["/opt/hurrah/bin/python", "-m", "server", "serve"]
