# syntax=docker/dockerfile:1
# One image for every layer: the command says which (`ingest`, `speed`, `archive`, `serve`, `start`).
# Node is the version that package.json pins and the tests run under; infra.test.ts compares them.

FROM node:24.21.0-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# Not `npm ci`: the lock names native builds only for some platforms, and `ci` refuses such a lock.
# Without install scripts: the only one in the lock fetches a Node, and this image has its own.
RUN --mount=type=cache,target=/root/.npm \
    npm install --omit=dev --ignore-scripts --no-save --no-audit --no-fund
RUN mkdir /empty

FROM node:24.21.0-bookworm-slim
LABEL org.opencontainers.image.title="clickledger" \
      org.opencontainers.image.description="Ad clicks, counted twice and billed once" \
      org.opencontainers.image.licenses="Apache-2.0"
# The thread pool: file syncs, queries and DNS share it; see bin/clickledger.mjs.
ENV NODE_ENV=production \
    UV_THREADPOOL_SIZE=16 \
    CLICKLEDGER_HOST=0.0.0.0 \
    CLICKLEDGER_DATA_DIR=/data \
    CLICKLEDGER_METRICS_PORT=9100
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json LICENSE NOTICE ./
COPY infra/image ./infra/image
COPY schemas ./schemas
COPY core ./core
COPY platform ./platform
COPY ingest ./ingest
COPY speed-layer ./speed-layer
COPY batch-layer ./batch-layer
COPY serving ./serving
COPY cli ./cli
COPY mappings ./mappings
# Everything above belongs to root and is only read. A new volume takes the owner of this folder.
COPY --from=packages --chown=10001:10001 /empty /data
USER 10001:10001
VOLUME /data
EXPOSE 8080 8090 9100
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 \
    CMD ["node", "infra/image/health.ts"]
ENTRYPOINT ["node", "cli/main.ts"]
CMD ["start"]
