#!/usr/bin/env bash
# A node's start: its keys, then sshd until the container is stopped.
set -euo pipefail
bootstrap.sh boot
mkdir -p /run/sshd
# without PAM: a container has no session for it to open
exec /usr/sbin/sshd -D -o UsePAM=no -o PasswordAuthentication=no -o PermitRootLogin=no -o HostKey=/etc/ssh/ssh_host_ed25519_key
