//! Did the host's disk see what a workload wrote? Truth before speed.
//!
//! The block layer counts bytes and flushes of each device, whoever caused them; so its counters can refute a write
//! figure and never prove one. Bytes must have come to the device, and flushes too where it has a volatile cache.

use super::sample::{Failure, FailureName};

pub mod device;

/// What a device has counted since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes written.
    pub bytes_written: u64,
    /// Write requests completed.
    pub writes: u64,
    /// Flush requests completed; `None` before Linux 5.5.
    pub flushes: Option<u64>,
    /// It has a volatile cache, so a sync is only true with a flush.
    pub volatile_cache: bool,
}

/// Does the host vouch for a workload that wrote `bytes` and had `syncs` syncs return, between two readings?
///
/// The bytes may fall short by 1 %: writes to the same block that were merged before the one sync of a sequential
/// write. The flushes may fall short by 10 %. One writer that waits for each sync cannot have two of them served by
/// one flush, so in truth there is at least one each; the rest is room for a device that is stacked on others.
/// Without a volatile cache a completed write is on the medium, so writes stand for flushes.
///
/// # Errors
/// `UnseenWrites`: what was claimed and what was seen. `Unverified`: why nobody can say.
pub fn vouch(
    before: &Result<Counts, String>,
    after: &Result<Counts, String>,
    bytes: u64,
    syncs: u64,
) -> Result<(), Failure> {
    let unverified = |detail: &str| Failure { name: FailureName::Unverified, detail: detail.to_owned() };
    let before = before.as_ref().map_err(|why| unverified(why))?;
    let after = after.as_ref().map_err(|why| unverified(why))?;
    let seen = after.bytes_written.saturating_sub(before.bytes_written);
    if seen < bytes - bytes / 100 {
        return Err(unseen(format!("{bytes} bytes were claimed, the host's disk saw {seen}")));
    }
    let (kind, flushed) = match (after.volatile_cache, before.flushes, after.flushes) {
        (false, ..) => ("writes", after.writes.saturating_sub(before.writes)),
        (true, Some(from), Some(to)) => ("flushes", to.saturating_sub(from)),
        (true, ..) => return Err(unverified("this kernel does not count flushes (Linux 5.5 does)")),
    };
    if flushed < syncs - syncs / 10 {
        return Err(unseen(format!("{syncs} syncs were claimed, the host's disk saw {flushed} {kind}")));
    }
    Ok(())
}

fn unseen(detail: String) -> Failure {
    Failure { name: FailureName::UnseenWrites, detail }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn counts(bytes_written: u64, writes: u64, flushes: u64) -> Result<Counts, String> {
        Ok(Counts { bytes_written, writes, flushes: Some(flushes), volatile_cache: true })
    }

    fn name(result: Result<(), Failure>) -> Option<FailureName> {
        result.err().map(|failure| failure.name)
    }

    #[test]
    fn all_seen_is_vouched_for() {
        assert_eq!(vouch(&counts(50, 0, 7), &counts(1050, 3, 17), 1000, 10), Ok(()));
        assert_eq!(vouch(&counts(0, 0, 0), &counts(990, 1, 9), 1000, 10), Ok(()));
    }

    #[test]
    fn missing_bytes_or_flushes_are_not() {
        let none = counts(0, 0, 0);
        assert_eq!(name(vouch(&none, &counts(980, 9, 10), 1000, 10)), Some(FailureName::UnseenWrites));
        assert_eq!(name(vouch(&none, &counts(1000, 9, 8), 1000, 10)), Some(FailureName::UnseenWrites));
        assert_eq!(name(vouch(&none, &counts(1000, 9, 0), 1000, 1)), Some(FailureName::UnseenWrites));
    }

    #[test]
    fn without_a_cache_writes_stand_for_flushes() {
        let counts =
            |writes| Ok(Counts { bytes_written: 4096, writes, flushes: None, volatile_cache: false });
        assert_eq!(vouch(&counts(0), &counts(10), 0, 10), Ok(()));
        assert_eq!(name(vouch(&counts(0), &counts(5), 0, 10)), Some(FailureName::UnseenWrites));
    }

    #[test]
    fn no_device_or_no_count_of_flushes_is_unverified() {
        let some = counts(9, 9, 9);
        let nobody = Err("tmpfs has no disk".to_owned());
        assert_eq!(name(vouch(&nobody, &some, 0, 0)), Some(FailureName::Unverified));
        let old = Ok(Counts { flushes: None, volatile_cache: true, ..Counts::default() });
        assert_eq!(name(vouch(&old, &old, 0, 0)), Some(FailureName::Unverified));
    }
}
