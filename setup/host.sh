#!/bin/sh
# Prepares a host to run Isocost, or to test it as well:  sh setup/host.sh [bench|test]
#
# In:  the role. Out: the programs it needs are installed and a Docker engine answers.
# It asks apt only for what is missing, shows the plan first, and stops before anything
# would be removed or downgraded. Run again on a prepared host it changes nothing.
#
# sh setup/host.sh as-whom  prints what to put before a command that uses the engine: nothing, or
# `sudo -E` where this user may not use it.
set -eu

role=${1:-bench}
docker_socket=${ISOCOST_DOCKER_SOCKET:-/var/run/docker.sock}
minimum_rust=1.88

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 3; }
has() {
    case $1 in
        libc.a) [ -e "$(cc -print-file-name=libc.a 2>/dev/null || true)" ];; # the agent is a static program
        initdb) command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1;;
        *) command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ];;
    esac
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif has sudo; then sudo "$@"
    else fail "this needs root and there is no sudo; as root, run: sh setup/host.sh $role"
    fi
}

# One line a need: program, Debian package, and the package elsewhere (dnf, pacman, zypper, apk).
needs() {
    cat <<'NEEDS'
dockerd docker.io moby-engine docker docker docker
qemu-system-x86_64 qemu-system-x86 qemu-system-x86 qemu-system-x86 qemu-x86 qemu-system-x86_64
qemu-img qemu-utils qemu-img qemu-img qemu-tools qemu-img
mke2fs e2fsprogs e2fsprogs e2fsprogs e2fsprogs e2fsprogs
cc gcc gcc gcc gcc build-base
libc.a libc6-dev glibc-static glibc glibc-devel-static musl-dev
NEEDS
    [ "$role" = bench ] || cat <<'NEEDS'
mmdebstrap mmdebstrap mmdebstrap mmdebstrap mmdebstrap mmdebstrap
strace strace strace strace strace strace
initdb postgresql postgresql-server postgresql postgresql-server postgresql
crun crun crun crun crun crun
runsc runsc runsc runsc runsc runsc
NEEDS
}

missing_packages() { # $1: which package column of needs(), 1 being Debian's
    needs | while read -r program packages; do
        has "$program" || printf '%s ' "$(printf '%s\n' "$packages" | cut -d ' ' -f "$1")"
    done
}

rustup_line="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"

check_rust() {
    if ! has cargo; then
        [ ! -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ] ||
            fail "Rust is installed and not on the path; run: . \"${CARGO_HOME:-$HOME/.cargo}/env\""
        fail "Rust is missing; run: $rustup_line"
    fi
    have=$(cargo --version 2>/dev/null | awk '{print $2}')
    [ -n "$have" ] || fail "cargo is there and does not run; run: rustup default stable"
    lowest=$(printf '%s\n%s\n' "$minimum_rust" "$have" | sort -V | head -n 1)
    [ "$lowest" = "$minimum_rust" ] && return
    if has rustup; then update='rustup update stable'; else update=$rustup_line; fi
    fail "Rust $have is too old (need $minimum_rust); run: $update"
}

# What a plan of apt's would take away: packages removed or downgraded.
taken_away() {
    printf '%s\n' "$1" | awk '$1 == "Remv" {print $2} /DOWNGRADED/ {down = 1; next} /^[^ ]/ {down = 0} down' | tr -s ' \n' ' ' | sed 's/^ //; s/ $//'
}

# apt with the release's backports beside the host's own sources, for one call: nothing is left in /etc.
with_backports() {
    as_root apt-get -o "Dir::Etc::sourceparts=$extra/parts" -o "Dir::State::lists=$extra/lists" "$@"
}

# A host whose qemu-utils came from backports, with that suite no longer among its sources, can take
# no QEMU of the release itself. The matching QEMU is then asked of backports, and nothing else is.
backports_instead() {
    . /etc/os-release
    case "${ID:-}/$packages" in debian/*qemu-system-x86*) ;; *) return 1;; esac
    suite=$VERSION_CODENAME-backports
    extra=$(mktemp -d)
    chmod 755 "$extra"
    mkdir -p "$extra/lists/partial" "$extra/parts"
    cp /etc/apt/sources.list.d/* "$extra/parts/" 2>/dev/null || true
    mirror=$(apt-cache policy | sed -n 's,^ *[0-9]* \(http[^ ]*/debian\) .*,\1,p' | head -n 1)
    echo "deb ${mirror:-http://deb.debian.org/debian} $suite main" > "$extra/parts/isocost-backports.list"
    say "looking in $suite for a QEMU that fits the qemu-utils already here"
    with_backports update -q >/dev/null || return 1
    named=
    for package in $packages; do
        case $package in
            qemu-system-x86) named="$named $package/$suite qemu-system-common/$suite qemu-system-data/$suite seabios/$suite";;
            *) named="$named $package";;
        esac
    done
    plan=$(with_backports install -s --no-install-recommends $named 2>/dev/null) || return 1
    [ -z "$(taken_away "$plan")" ] || return 1
    packages=$named
    apt=with_backports
}

plain_apt() { as_root apt-get "$@"; }

make_plan() { plan=$(apt-get install -s --no-install-recommends $packages 2>&1); }

apt_install() {
    packages=$*
    apt=plain_apt
    extra=
    trap '[ -z "$extra" ] || as_root rm -rf "$extra"' EXIT
    say "missing: $packages"
    say "refreshing the package lists: apt-get update"
    as_root apt-get update -q >/dev/null || say "some package lists could not be refreshed; going on with what there is"
    if ! make_plan || [ -n "$(taken_away "$plan")" ]; then
        if ! backports_instead; then
            make_plan || {
                printf '%s\n' "$plan" >&2
                fail "apt cannot install: $packages. Its reason is above. Often a repository is gone that a package
already here came from (see: apt-cache policy qemu-utils); add it again, or install these by hand."
            }
        fi
    fi
    taken=$(taken_away "$plan")
    allow=--no-remove
    if [ -n "$taken" ]; then
        [ "${ISOCOST_SETUP_ALLOW_REMOVAL:-no}" = yes ] || fail "apt would remove or downgrade: $taken
to allow that, run: ISOCOST_SETUP_ALLOW_REMOVAL=yes sh setup/host.sh $role"
        say "removing or downgrading, as allowed: $taken"
        allow=--allow-downgrades
    fi
    say "installing $(printf '%s\n' "$plan" | grep -c '^Inst') packages: apt-get install --no-install-recommends $packages"
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    $apt install -y -q --no-install-recommends $allow $packages || fail "apt failed; its reason is above"
}

# $1: as_root, or nothing for this user, who may not be allowed to.
engine_answers() {
    case ${DOCKER_HOST:-} in unix://*) docker_socket=${DOCKER_HOST#unix://};; esac
    [ -S "$docker_socket" ] || return 1
    if has perl; then
        ${1:-} perl -MIO::Socket::UNIX -e '
            my $s = IO::Socket::UNIX->new($ARGV[0]) or exit 1;
            alarm 5; print {$s} "GET /_ping HTTP/1.0\r\n\r\n";
            my $first = <$s>; exit(defined $first && $first =~ / 200 / ? 0 : 1)' "$docker_socket"
    else
        ${1:-} curl -sf -m 5 --unix-socket "$docker_socket" http://localhost/_ping >/dev/null
    fi
}

wait_for_engine() {
    for _ in $(seq 1 "$1"); do
        engine_answers as_root && return 0
        sleep 1
    done
    return 1
}

# An engine that was killed leaves files that name its process, and the next one will not start where they seem to be true: the
# number may be another process's by now, or that of one that has ended and was never waited for.
forget_dead_engine() {
    for file in /var/run/docker.pid /var/run/docker/containerd/containerd.pid; do
        [ -f "$file" ] || continue
        pid=$(as_root cat "$file")
        state=$(sed -n 's/^State:[[:space:]]*\([A-Z]\).*/\1/p' "/proc/$pid/status" 2>/dev/null || true)
        case $(cat "/proc/$pid/comm" 2>/dev/null || true) in
            dockerd|containerd) [ "$state" = Z ] || continue;;
        esac
        say "removing $file: its process is not there any more"
        as_root rm -f "$file"
    done
}

start_engine() {
    case ${DOCKER_HOST:-} in ''|unix:///var/run/docker.sock|unix:///run/docker.sock) ;; *)
        say "DOCKER_HOST=$DOCKER_HOST: an engine of yours; none is started here"; return;; esac
    if engine_answers as_root; then return; fi
    log=/var/log/isocost-dockerd.log
    forget_dead_engine
    if [ -d /run/systemd/system ]; then
        say "starting the Docker engine: systemctl start docker"
        as_root systemctl start docker || fail "it did not start; see: journalctl -u docker"
        log='journalctl -u docker'
    elif [ -x /etc/init.d/docker ] && say "starting the Docker engine: service docker start" &&
         as_root service docker start >/dev/null 2>&1 && wait_for_engine 20; then
        return
    else
        say "starting the Docker engine: dockerd (log: $log)"
        as_root sh -c "PATH=\$PATH:/usr/sbin:/sbin; setsid dockerd >>$log 2>&1 </dev/null &"
    fi
    wait_for_engine 60 || fail "the Docker engine does not answer on $docker_socket; see: $log"
}

as_whom() {
    if [ "$(id -u)" -ne 0 ] && ! engine_answers && has sudo; then echo 'sudo -E'; fi
}

tell_access() {
    [ "$(id -u)" -ne 0 ] || return 0
    engine_answers || say "you may not use the Docker engine yet; run: sudo usermod -aG docker $(id -un), and log in again"
    [ ! -e /dev/kvm ] || [ -w /dev/kvm ] ||
        say "you may not use /dev/kvm yet; run: sudo usermod -aG kvm $(id -un), and log in again"
}

main() {
    case $role in
        bench|test) ;;
        as-whom) as_whom; return;;
        *) printf 'usage: setup/host.sh [bench|test|as-whom]\n' >&2; exit 2;;
    esac
    [ "$(uname -s)/$(uname -m)" = Linux/x86_64 ] || fail "Isocost runs on Linux on x86_64, not on $(uname -s) on $(uname -m)"
    check_rust
    packages=$(missing_packages 1)
    # Another distribution of Debian's family: the guest's kernel is Debian's, and apt checks its signature.
    if has apt-get && [ ! -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then
        packages="$packages debian-archive-keyring"
    fi
    if [ -n "$packages" ]; then
        if has apt-get; then
            case $packages in *docker.io*)
                packages="$packages iptables ca-certificates"
                # Where AppArmor is on, the engine refuses to run without its parser.
                if [ -d /sys/kernel/security/apparmor ] && ! has apparmor_parser; then packages="$packages apparmor"; fi;;
            esac
            apt_install $packages
        else
            say "this host has no apt. Install the missing programs with its own package manager, then run this again:"
            column=2
            for manager in dnf pacman zypper apk; do
                printf '  %-7s %s\n' "$manager" "$(missing_packages $column)"
                column=$((column + 1))
            done
            exit 3
        fi
    fi
    start_engine
    tell_access
    say "ready"
}

main
