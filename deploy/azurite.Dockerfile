# The storage server of the compose file: the very version that the tests use, from its lock file.
ARG NODE=node:22.20.0-bookworm-slim
FROM ${NODE}
WORKDIR /opt/azurite
COPY dev/azurite/package.json dev/azurite/package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund \
    && mkdir /data \
    && chown 1000:1000 /data
USER 1000:1000
EXPOSE 10000 10001
CMD ["node_modules/.bin/azurite", "--location", "/data", "--skipApiVersionCheck", "--disableTelemetry", \
     "--disableProductStyleUrl", "--blobHost", "0.0.0.0", "--queueHost", "0.0.0.0", "--tableHost", "127.0.0.1"]
