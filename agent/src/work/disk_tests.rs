use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::super::run;
use super::*;
use crate::protocol::{WorkDone, Workload};

/// Where tests work: beside the sources, on a disk, never on a RAM disk.
fn layer() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap()
}

fn order(workload: Workload, bytes: u64, direct: bool) -> WorkOrder {
    WorkOrder { workload, duration_ns: 0, threads: 1, bytes, direct, seed: 5, slower_permille: 0 }
}

fn done(order: &WorkOrder, layer: &Path) -> WorkDone {
    let mut job = super::super::prepare(order, layer).unwrap();
    let done = run(&mut *job, order, &|| false).unwrap();
    drop(job);
    assert_eq!(std::fs::read_dir(layer).unwrap().count(), 0, "files are left");
    done
}

const BYTES: u64 = (2 << 20) + 8192;

#[test]
fn exactly_the_bytes_that_were_asked_for() {
    let layer = layer();
    for direct in [false, true] {
        let write = done(&order(Workload::DiskWrite, BYTES, direct), layer.path());
        assert_eq!((write.units, write.bytes_written, write.syncs), (BYTES, BYTES, 1));
        let read = done(&order(Workload::DiskRead, BYTES, direct), layer.path());
        assert_eq!((read.units, read.bytes_written, read.syncs), (BYTES, 0, 0));
        // The same stamps were written and read.
        assert_eq!(write.checksum, read.checksum);
        let random = done(&order(Workload::DiskRandomRead, BYTES, direct), layer.path());
        assert_eq!((random.units, random.latencies_ns.len()), (BYTES / 4096, (BYTES / 4096) as usize));
        let sync = done(&order(Workload::DiskSync, 64 << 10, direct), layer.path());
        assert_eq!((sync.units, sync.bytes_written, sync.syncs), (16, 64 << 10, 16));
        assert_eq!(sync.latencies_ns.len(), 16);
        let busy: u64 = sync.latencies_ns.iter().map(|ns| u64::from(*ns)).sum();
        assert!(busy <= sync.elapsed_ns && sync.elapsed_ns > 0, "{sync:?}");
    }
}

#[test]
fn by_time_it_goes_over_the_file_again() {
    let layer = layer();
    // One page, and a second: long enough for two syncs of a disk that others keep busy.
    let cases = [
        (Workload::DiskWrite, 1),
        (Workload::DiskRead, 1),
        (Workload::DiskRandomRead, 4096),
        (Workload::DiskSync, 4096),
    ];
    for (workload, unit_bytes) in cases {
        let order = WorkOrder { duration_ns: 1_000_000_000, ..order(workload, 4096, false) };
        let done = done(&order, layer.path());
        assert!(done.elapsed_ns >= order.duration_ns, "{done:?}");
        assert!(done.units * unit_bytes > order.bytes, "{workload:?}: {done:?}");
    }
}

#[test]
fn a_read_of_other_bytes_is_no_read() {
    let layer = layer();
    let order = order(Workload::DiskRead, 64 << 10, false);
    let mut job = Read::new(&order, layer.path()).unwrap();
    let path = std::fs::read_dir(layer.path()).unwrap().next().unwrap().unwrap().path();
    let mut bytes = Vec::new();
    File::open(&path).unwrap().read_to_end(&mut bytes).unwrap();
    bytes[8192] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let refusal = run(&mut job, &order, &|| false).unwrap_err();
    assert!(refusal.name == "io" && refusal.detail.contains("page 2 "), "{refusal:?}");
}

#[test]
fn orders_that_cannot_be_met_are_refused_and_leave_nothing() {
    let layer = layer();
    let refused = |order: &WorkOrder, layer: &Path| super::super::prepare(order, layer).err().unwrap();
    assert_eq!(refused(&order(Workload::DiskWrite, 1000, false), layer.path()).name, "bad-order");
    let much = refused(&order(Workload::DiskWrite, 1 << 60, false), layer.path());
    assert!(much.name == "no-space" && much.detail.contains("bytes free"), "{much:?}");
    let nowhere = refused(&order(Workload::DiskRead, 4096, false), Path::new("/nonexistent"));
    assert!(nowhere.name == "io" && nowhere.detail.contains("/nonexistent"), "{nowhere:?}");
    assert_eq!(std::fs::read_dir(layer.path()).unwrap().count(), 0);
}

#[test]
fn what_a_killed_one_left_is_in_nobodys_way() {
    let layer = layer();
    std::fs::write(layer.path().join(format!("isocost-work-{}", std::process::id())), "old").unwrap();
    assert_eq!(done(&order(Workload::DiskWrite, 8192, false), layer.path()).units, 8192);
}
