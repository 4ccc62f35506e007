//! Work on memory that never leaves the caches.

use isocost_agent::protocol::Workload;
use isocost_agent::work::bytes_of;

use crate::measure::host::Host;
use crate::suite::Suite;

/// A warning where buffers of the suite's work fit into the host's largest cache: the figures are then of that, and not of the RAM.
pub(super) fn warning(suite: &Suite, host: &Host) -> Option<String> {
    let cache = host.cpus.largest_cache_bytes?;
    let within = suite.workloads.iter().filter(|one| {
        let bytes = bytes_of(one.bytes);
        match one.run {
            Workload::MemoryBandwidth => bytes.saturating_mul(2) <= cache,
            Workload::MemoryLatency => bytes <= cache,
            _ => false,
        }
    });
    let ids: Vec<&str> = within.map(|one| one.id.as_str()).collect();
    (!ids.is_empty()).then(|| {
        format!(
            "the buffers of {} fit into the host's largest cache of {} MiB: {} it and not the RAM; larger `bytes` in the suite leave it",
            ids.join(" and "),
            cache >> 20,
            if ids.len() == 1 { "this measures" } else { "these measure" },
        )
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_held_against_the_largest_cache() {
        let suite = crate::suite::load("quick").unwrap();
        let host = |mib: Option<u64>| {
            let mut host = crate::measure::host::look(std::path::Path::new("/"));
            host.cpus.largest_cache_bytes = mib.map(|mib| mib << 20);
            host
        };
        let warned = |mib| warning(&suite, &host(mib));
        assert_eq!((warned(None), warned(Some(16))), (None, None));
        // Two buffers of 32 MiB are copied, and one is walked through.
        assert!(warned(Some(32)).unwrap().contains("of memory-latency fit into"));
        let both = warned(Some(480)).unwrap();
        assert!(
            both.contains("of memory-bandwidth and memory-latency fit") && both.contains("480 MiB"),
            "{both}"
        );
    }
}
