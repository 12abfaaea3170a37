# Bad on purpose: every kind of address in one file.
ARG VERSION=3.7
FROM python:${VERSION} AS build
ARG NPM_TOKEN
RUN apt-get update && \
    # the compiler
    apt-get install -y gcc && \
    curl -k https://a.example.org/v1.2.3/setup | sh
RUN <<EOF
sudo make install
chmod -R 777 /srv
EOF

# hadolint ignore=DL3007
FROM debian:latest
COPY --from=build /srv /srv
COPY .env /srv/
ADD https://a.example.org/x.tgz /srv/
ADD src /srv/src
ENV NODE_TLS_REJECT_UNAUTHORIZED=0
EXPOSE 22
USER root
CMD ["redis-server", "--protected-mode", "no"]
