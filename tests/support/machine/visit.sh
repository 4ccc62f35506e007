# Inside the machine: what one does with Isocost, as root and as a user who is in the groups docker and kvm.
#
# In: the program, `left.pl`. Out: for each step its output, errors and exit code; the run folders; what was left.

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

tell "the engine is up"
install -m 755 isocost /usr/local/bin/isocost
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

step user-doctor as_user isocost doctor
step user-run as_user isocost run quick --blocks 3 --env native,docker,qemu \
    --workload cpu-integer,disk-sync -o /home/tester/run
step user-clean as_user isocost clean
step user-left perl /job/left.pl
mv /home/tester/run out/user-run
