#!/usr/bin/env bash
# Makes the base image of the nodes from Debian's packages, where no image registry can be reached. On Debian, as root:
#   infra/compose/base-image.sh debian:bookworm-slim
# The mirror is the one that this machine's own apt uses.
set -euo pipefail
name=${1:?give the name of the image to make, for example debian:bookworm-slim}
suite=${name#*:}
suite=${suite%-slim}

own=$(. /etc/os-release && echo "$VERSION_CODENAME")
# shellcheck disable=SC2016  # these are apt's own names
mirror=$(apt-get indextargets --format '$(CODENAME) $(SITE)' 'Identifier: Packages' |
  awk -v own="$own" '$1 == own && !found {print $2; found = 1}')
if [[ -z $mirror ]]; then
  echo "base-image: this machine's apt knows no mirror for $own: run 'apt-get update' first" >&2
  exit 1
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
debootstrap --variant=minbase --include=ca-certificates,openssh-client,openssh-server,procps,python3,python3-venv \
  "$suite" "$folder/root" "$mirror" >"$folder/log" 2>&1 || {
  tail -n 5 "$folder/log" >&2
  exit 1
}
rm -rf "$folder"/root/var/cache/apt/archives/*.deb "$folder"/root/var/lib/apt/lists/*
tar -C "$folder/root" -c . | docker import - "$name" >/dev/null
