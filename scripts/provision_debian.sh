#!/usr/bin/env bash
# Installs Debian's PostgreSQL 15 with the extensions that `npm run test:debian` needs, Go with the packages that
# check our proofs independently, and the browser in which pgtrail/verify is tested.
# Can run again at any time. Starts no server: the tests start their own.
set -euo pipefail

packages=(
  postgresql-15
  postgresql-15-cron
  postgresql-15-pgtap
  postgresql-15-plpgsql-check
  libtap-parser-sourcehandler-pgtap-perl
  golang-go
  golang-golang-x-mod-dev
  chromium
)

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done

if [ ${#missing[@]} -eq 0 ]; then
  echo "PostgreSQL 15, its extensions, Go and Chromium are installed"
  exit 0
fi

if [ "$(id -u)" -ne 0 ]; then
  echo "missing: ${missing[*]}" >&2
  echo "run as root, or have them installed: apt-get install ${missing[*]}" >&2
  exit 1
fi

# Without this, installing the server creates and starts a cluster that nobody uses.
install -d /etc/postgresql-common/createcluster.d
echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/pgtrail.conf

export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet
apt-get install --quiet --yes --no-install-recommends "${missing[@]}"
