//! The host around a run: looked at before and after each cell, and told which CPUs the harness keeps to.

use super::cache;
use crate::measure::host::pin::Pinned;
use crate::measure::host::{Activity, CpuPlacement, Look};

/// What is around a run. A test has one of its own, in which nothing depends on what else its machine does.
pub(super) trait Surroundings {
    /// Which CPUs instances of that many get.
    fn placement(&self, count: u32) -> CpuPlacement;

    /// Keeps the harness to its CPUs for as long as what is returned lives.
    ///
    /// # Errors
    /// The system's.
    fn pin(&self, placement: &CpuPlacement) -> std::io::Result<Option<Pinned>>;

    /// Drops what the page cache can do without.
    ///
    /// # Errors
    /// Why it could not be done, for the reader.
    fn drop_page_cache(&self) -> Result<(), String> {
        cache::drop_page_cache()
    }

    /// A look before a cell.
    fn look(&self) -> Look {
        Look::now()
    }

    /// What happened since, beside the process trees of `ours`, in that block.
    fn since(&self, before: &Look, ours: &[u32], _block: u32) -> Activity {
        before.until(&Look::now(), ours)
    }
}

/// This host.
pub(super) struct Here;

impl Surroundings for Here {
    fn placement(&self, count: u32) -> CpuPlacement {
        CpuPlacement::here(count)
    }

    fn pin(&self, placement: &CpuPlacement) -> std::io::Result<Option<Pinned>> {
        if placement.shared { Ok(None) } else { Pinned::to(&placement.harness).map(Some) }
    }
}
