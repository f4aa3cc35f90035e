"""The text that a node runs at every start: its settings, bootstrap.sh, its host key, and a word how it went.

Every start again: bootstrap.sh changes nothing that is right already.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

# Guest attributes, which the operator reads through Google's interface; bash alone, for the node may have failed
# before it had any tool
METADATA = r"""
# metadata METHOD KEY [WORDS]: asks for, or says, a guest attribute; fails where the answer is not 200
metadata() (
  exec 2>/dev/null
  exec 3<>/dev/tcp/metadata.google.internal/80 || exit 1
  printf '%s /computeMetadata/v1/instance/guest-attributes/%s HTTP/1.1\r\n' "$1" "$2" >&3
  printf 'Host: metadata.google.internal\r\nMetadata-Flavor: Google\r\nConnection: close\r\n' >&3
  printf 'Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s' "${#3}" "$3" >&3
  IFS= read -r line <&3
  [[ $line == *' 200 '* ]] || exit 1
  while IFS= read -r line <&3 && [[ $line != $'\r' ]]; do :; done
  cat <&3
)

# publish KEY WORDS
publish() {
  local try words=${2//[^[:print:]]/ }
  for try in 1 2 3 4 5; do
    metadata PUT "convscale/$1" "$words" >/dev/null && return
    sleep 2
  done
  echo "convscale: the metadata server did not take $1" >&2
  return 1
}
"""

# Of the system's own, what may take a core or a lock amid a measurement. Here and not in bootstrap.sh, which makes
# nodes of people's own machines as well. Stopping is graceful: an upgrade ends the package that it is at.
QUIET = r"""
quiet() {
  local units=(apt-daily.timer apt-daily-upgrade.timer apt-daily.service apt-daily-upgrade.service \
    unattended-upgrades.service google-osconfig-agent.service)
  [[ -e /usr/lib/systemd/system/snapd.service ]] && units+=(snapd.service)  # of Ubuntu's images
  systemctl mask --now "${units[@]}" 2>&1 || echo "convscale: upgrades may still run" >&2
}
"""

# Google's agent makes the host keys anew in its own time, once, and only logs it where it could not say them
# (google-guest-agent, firstboot.go; guest-agent#340). So the key is said here, as sshd serves it, after the agent: at
# the latest a minute after everything else, which is when the agent's word must be taken for lost.
HOST_KEY = r"""
key_on_disk() {
  cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub
}

host_key() {
  local try served known=/etc/convscale/published_key
  for try in $(seq 30); do
    [[ -f $known && $(<"$known") == "$(key_on_disk)" ]] && break
    [[ "ssh-ed25519 $(metadata GET hostkeys/ssh-ed25519 '')" == "$(key_on_disk)" ]] && break
    sleep 2
  done
  for try in {1..20}; do
    # a reloaded sshd starts itself anew, and answers nobody meanwhile: it is given 10 s before the next reload
    [[ $((try % 5)) == 1 ]] && systemctl reload-or-restart ssh
    sleep 2
    served=$(ssh-keyscan -T 5 -t ed25519 127.0.0.1 2>/dev/null | cut -d ' ' -f 2,3)
    if [[ -n $served && $served == "$(key_on_disk)" ]]; then
      publish hostkey "$served" && echo "$served" >"$known"
      return
    fi
  done
  echo "convscale: sshd serves another host key than /etc/ssh has, or none" | tee -a "$log" >&2
  return 1
}
"""

# A second try of the whole costs nothing where the first one's fault is lasting, and saves the node where it is not
START = r"""
publish bootstrap running
quiet
if { bash -c "$bootstrap" bootstrap.sh || { sleep 30 && bash -c "$bootstrap" bootstrap.sh; }; } && host_key; then
  publish bootstrap ready
else
  sleep 1  # bootstrap.sh writes its log through a pipe, whose last line may come a moment later
  publish bootstrap "failed: $(tail -n 1 "$log" 2>/dev/null | head -c 400)"
  exit 1
fi
"""


@dataclass(frozen=True)
class Startup:
    """What every node of a cluster is given; nothing of it is secret. `gpus` is how many a node must have."""

    bootstrap: str
    constraints: str
    operator_key: str
    gpus: int = 0

    def script(self, role: str) -> str:
        """The startup script of a node, `role` head or node."""
        return (
            "#!/usr/bin/env bash\n"
            "set -uo pipefail\nexport LC_ALL=C\n"
            f"export CONVSCALE_ROLE={shlex.quote(role)}\n"
            f"export CONVSCALE_OPERATOR_KEY={shlex.quote(self.operator_key)}\n"
            f"export CONVSCALE_CONSTRAINTS={shlex.quote(self.constraints)}\n"
            f"export CONVSCALE_GPUS={self.gpus}\n"
            f"bootstrap={shlex.quote(self.bootstrap)}\n"
            "log=/var/log/convscale-bootstrap.log\n"
            f"{METADATA}{QUIET}{HOST_KEY}{START}"
        )
