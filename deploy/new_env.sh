#!/bin/sh
# Writes deploy/.env for the compose file: a name and secrets of your own, made up here, once.
set -eu
file="$(dirname "$0")/.env"
if [ -e "$file" ]; then
  echo "$file is there already; it stays as it is."
  exit 0
fi
umask 077
random() { head -c "$1" /dev/urandom | base64 | tr -d '\n'; }
{
  echo "AZURITE_ACCOUNT=novadelocal"
  echo "AZURITE_KEY=$(random 64)"
  echo "POSTGRES_PASSWORD=$(random 24 | tr '+/' '-_')"
} >"$file"
echo "$file written."
