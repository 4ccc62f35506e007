#!/bin/sh
# Inside the machine, once Docker is up: does what the input disk says and switches the machine off.
#
# In: /dev/vdb, a tar stream with the script `run` and its files. Out: /dev/vdc, a tar stream with what it left in
# `out`, its exit code as `out/status`, and the journal.
mkdir -p /job/out
cd /job
tar -xf /dev/vdb
sh ./run
echo $? > out/status
journalctl --boot --no-pager > out/journal 2>&1
tar -cf /dev/vdc -C out .
sync
echo "the job is done" > /dev/ttyS0
# What is on its own disk is not needed any more.
systemctl poweroff --force --force
