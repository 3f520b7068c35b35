# Three stages: npm fetches the browser files, pip fills an environment, the image holds neither tool
# chain nor checkout. Python is the version the tests run on.

FROM node:24-bookworm-slim AS vendor
WORKDIR /vendor
COPY packaging/package.json packaging/package-lock.json ./
RUN npm ci --ignore-scripts --omit=dev --no-audit --no-fund

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/appliance
# A layer of its own: the dependencies weigh 1 GB and change rarely. Wheels only, so that nothing of
# theirs runs while the image is built.
COPY packaging/constraints.txt /tmp/constraints.txt
RUN /opt/appliance/bin/pip install --no-deps --only-binary=:all: --requirement /tmp/constraints.txt
WORKDIR /source
COPY setup.cfg pyproject.toml README.md ./
COPY packaging packaging
COPY appliance appliance
COPY schema schema
COPY templates templates
COPY static static
COPY --from=vendor /vendor/node_modules /tmp/node_modules
RUN python packaging/vendor.py /tmp/node_modules \
    && /opt/appliance/bin/pip install --no-deps . \
    && /opt/appliance/bin/pip check

FROM python:3.11-slim-bookworm
# A fixed number, so that a bind mount can be given to the right owner beforehand.
RUN groupadd --gid 10001 appliance \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp appliance \
    && install --directory --owner=appliance --group=appliance --mode=0700 /data
COPY --from=build /opt/appliance /opt/appliance
ENV PATH=/opt/appliance/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    BIND_HOST=0.0.0.0 \
    DATA_DIR=/data
USER 10001:10001
VOLUME /data
EXPOSE 3000
STOPSIGNAL SIGTERM
# Alive, not ready: a restart does not cure a chain that is behind.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ.get('PORT', '3000') + '/health', timeout=4)"]
ENTRYPOINT ["appliance"]
CMD ["serve"]
