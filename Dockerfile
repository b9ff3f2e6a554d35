# syntax=docker/dockerfile:1
# The hub as an image: one for web, worker, relay, scheduler and migrate, told apart by their command.

FROM node:24-bookworm-slim AS npm
WORKDIR /web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund

FROM python:3.11-slim-bookworm AS hub
ENV PYTHONUNBUFFERED=1 PYTHONPATH=/hub
COPY requirements.lock /tmp/requirements.lock
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps -r /tmp/requirements.lock \
    && rm /tmp/requirements.lock \
    && useradd --uid 10001 --create-home --shell /usr/sbin/nologin entrepot \
    && install -d -o entrepot -g entrepot -m 700 /data \
    && printf '#!/bin/sh\nexec python -P -m cli "$@"\n' >/usr/local/bin/entrepot \
    && chmod 755 /usr/local/bin/entrepot
WORKDIR /hub
COPY . .

FROM hub AS assets
COPY --from=npm /web/node_modules web/node_modules
RUN python -P -m web.assets

FROM hub
COPY --from=assets /hub/web/static/vendor web/static/vendor
RUN python -m compileall -q .
ENV ENTREPOT_DATA=/data
VOLUME /data
USER entrepot
EXPOSE 8010
CMD ["entrepot", "serve"]
