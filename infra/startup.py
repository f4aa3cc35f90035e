"""The text that a node runs at every start: its settings, bootstrap.sh, and a word to the operator how it went.

Every start again: bootstrap.sh changes nothing that is right already.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

# A guest attribute, which the operator reads through Google's interface
REPORT = """\
# report WORDS: bash alone, for the node may have failed before it had any tool
report() {
  local try words=${1//[^[:print:]]/ }
  for try in 1 2 3 4 5; do
    (
      exec 3<>/dev/tcp/metadata.google.internal/80 &&
        printf 'PUT /computeMetadata/v1/instance/guest-attributes/convscale/bootstrap HTTP/1.1\\r\\n' >&3 &&
        printf 'Host: metadata.google.internal\\r\\nMetadata-Flavor: Google\\r\\nConnection: close\\r\\n' >&3 &&
        printf 'Content-Type: text/plain\\r\\nContent-Length: %d\\r\\n\\r\\n%s' "${#words}" "$words" >&3 &&
        head -n 1 <&3 | grep -q ' 200 '
    ) 2>/dev/null && return
    sleep 2
  done
  echo "convscale: the metadata server did not take the report" >&2
}
"""


@dataclass(frozen=True)
class Startup:
    """What every node of a cluster is given; nothing of it is secret."""

    bootstrap: str
    constraints: str
    operator_key: str

    def script(self, role: str) -> str:
        """The startup script of a node, `role` head or node."""
        return (
            "#!/usr/bin/env bash\n"
            "set -uo pipefail\nexport LC_ALL=C\n"
            f"export CONVSCALE_ROLE={shlex.quote(role)}\n"
            f"export CONVSCALE_OPERATOR_KEY={shlex.quote(self.operator_key)}\n"
            f"export CONVSCALE_CONSTRAINTS={shlex.quote(self.constraints)}\n"
            f"bootstrap={shlex.quote(self.bootstrap)}\n"
            "log=/var/log/convscale-bootstrap.log\n"
            f"{REPORT}"
            "report running\n"
            # bootstrap.sh writes its log through a pipe, whose last line may come a moment later
            'if bash -c "$bootstrap" bootstrap.sh; then report ready; else\n'
            "  sleep 1\n"
            '  report "failed: $(tail -n 1 "$log" 2>/dev/null | head -c 400)"\n'
            "  exit 1\n"
            "fi\n"
        )
