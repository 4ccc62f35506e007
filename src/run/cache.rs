//! The host's page cache, emptied before a cold start.

/// Writes back and drops what is clean.
///
/// # Errors
/// Why it could not be done, for the reader: only root may.
pub(super) fn drop_page_cache() -> Result<(), String> {
    const SWITCH: &str = "/proc/sys/vm/drop_caches";
    rustix::fs::sync();
    std::fs::write(SWITCH, "3\n").map_err(|error| {
        format!("the page cache was not dropped before cold starts ({SWITCH}: {error}): they are not as cold as after a boot")
    })
}
