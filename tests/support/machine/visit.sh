# Inside the machine: what one does with Isocost, as root and as a user who is in the groups docker and kvm.
#
# In: the program, the libraries it was linked with in `lib`, `left.pl`. Out: for each step its output, errors and exit code; the run folders; what was left.

# Said on the console too: where it has come to is known there when it comes no further.
tell() { echo "$1 after $(cut -d ' ' -f 1 /proc/uptime) s" | tee -a out/times > /dev/ttyS0; }

# step NAME COMMAND…
step() {
    name=$1
    shift
    "$@" > "out/$name.stdout" 2> "out/$name.stderr"
    echo $? > "out/$name.status"
    tell "$name ended with $(cat "out/$name.status")"
}

as_user() { runuser -u tester -- env HOME=/home/tester "$@"; }

# Built with a later C library than this release has, it runs with its own, which came along.
install_isocost() {
    install -m 755 isocost /usr/local/bin/isocost
    isocost --version > /dev/null 2>&1 && return
    mv /usr/local/bin/isocost lib/
    printf '#!/bin/sh\nexec /job/lib/ld-linux-x86-64.so.2 --library-path /job/lib /job/lib/isocost "$@"\n' \
        > /usr/local/bin/isocost
    chmod 755 /usr/local/bin/isocost
}

tell "the engine is up"
install_isocost
step update apt-get update
step left-before perl /job/left.pl

# Is what would be left seen at all?
ISOCOST_RUN=probe sleep 600 &
mkdir /sys/fs/cgroup/isocost-probe
touch /tmp/isocost-probe
step left-probe perl /job/left.pl
kill $!
rmdir /sys/fs/cgroup/isocost-probe
rm /tmp/isocost-probe

step root-doctor isocost doctor
step root-run isocost run quick --blocks 3 -o out/root-run
step root-clean isocost clean
step root-left perl /job/left.pl

# Killed while a container runs.
isocost run quick --env docker --blocks 3 -o out/killed-run > out/killed.stdout 2> out/killed.stderr &
until grep -q startup.ready out/killed-run/journal.jsonl 2> /dev/null || ! kill -0 $!; do sleep 0.2; done
kill -9 $!
step killed-before perl /job/left.pl
step killed-clean isocost clean
step killed-left perl /job/left.pl

step user-doctor as_user isocost doctor
step user-run as_user isocost run quick --blocks 3 --env native,docker,qemu \
    --workload cpu-integer,disk-sync -o /home/tester/run
step user-clean as_user isocost clean

# In a scope of that user's own systemd, which may make control groups with limits.
systemctl start "user@$(id -u tester).service"
step scope-run as_user XDG_RUNTIME_DIR="/run/user/$(id -u tester)" systemd-run --user --scope --quiet \
    isocost run quick --blocks 3 --env native --workload cpu-integer -o /home/tester/scope
step scope-clean as_user isocost clean
step user-left perl /job/left.pl
mv /home/tester/run out/user-run
mv /home/tester/scope out/scope-run
