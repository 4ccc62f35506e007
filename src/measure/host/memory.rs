//! What this host does with memory behind a program's back.

use serde::{Deserialize, Serialize};

use super::files::Files;

/// Settings and state of memory. What could not be read, or is not there, is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// RAM a program could have without anything being swapped out, in bytes.
    pub available_bytes: Option<u64>,
    /// Swap space in bytes; 0: none.
    pub swap_bytes: Option<u64>,
    /// Of it, in use.
    pub swap_used_bytes: Option<u64>,
    /// `vm.swappiness`.
    pub swappiness: Option<u32>,
    /// Transparent huge pages: `always`, `madvise` or `never`.
    pub huge_pages: Option<String>,
    /// When a huge page is made: `always`, `defer`, `defer+madvise`, `madvise` or `never`.
    pub huge_pages_defrag: Option<String>,
    /// Pages with the same content are merged (KSM).
    pub same_page_merging: Option<bool>,
    /// Addresses are drawn anew for each process: 0 no, 1 without the heap, 2 all.
    pub address_randomisation: Option<u32>,
}

/// Reads them.
pub(super) fn look(files: &Files) -> Memory {
    let meminfo = files.text("/proc/meminfo").unwrap_or_default();
    let bytes = |key| meminfo_bytes(&meminfo, key);
    let huge = |file: &str| files.text(&format!("/sys/kernel/mm/transparent_hugepage/{file}"));
    Memory {
        available_bytes: bytes("MemAvailable"),
        swap_bytes: bytes("SwapTotal"),
        swap_used_bytes: bytes("SwapTotal")
            .zip(bytes("SwapFree"))
            .map(|(all, free)| all.saturating_sub(free)),
        swappiness: files.number("/proc/sys/vm/swappiness"),
        huge_pages: huge("enabled").and_then(|text| chosen(&text)),
        huge_pages_defrag: huge("defrag").and_then(|text| chosen(&text)),
        // 2 stands for 'stopped, and all that was merged taken apart again'.
        same_page_merging: files.number::<u32>("/sys/kernel/mm/ksm/run").map(|run| run == 1),
        address_randomisation: files.number("/proc/sys/kernel/randomize_va_space"),
    }
}

/// A line of /proc/meminfo, in bytes.
pub(super) fn meminfo_bytes(meminfo: &str, key: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Of several words the one in brackets.
fn chosen(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    rest.split_once(']').map(|(word, _)| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::files::made_up;
    use super::*;

    #[test]
    fn settings_are_read_as_the_kernel_writes_them() {
        let meminfo = "MemTotal: 2048 kB\nMemAvailable:  1024 kB\nSwapTotal: 100 kB\nSwapFree: 40 kB\n";
        let (_dir, files) = made_up(&[
            ("proc/meminfo", meminfo),
            ("proc/sys/vm/swappiness", "60\n"),
            ("proc/sys/kernel/randomize_va_space", "2\n"),
            ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
            ("sys/kernel/mm/transparent_hugepage/defrag", "[defer+madvise] never\n"),
            ("sys/kernel/mm/ksm/run", "1\n"),
        ]);
        let expected = Memory {
            available_bytes: Some(1 << 20),
            swap_bytes: Some(100 << 10),
            swap_used_bytes: Some(60 << 10),
            swappiness: Some(60),
            huge_pages: Some("madvise".into()),
            huge_pages_defrag: Some("defer+madvise".into()),
            same_page_merging: Some(true),
            address_randomisation: Some(2),
        };
        assert_eq!(look(&files), expected);
    }

    #[test]
    fn what_is_not_there_is_none_and_damage_is_too() {
        let (_dir, files) = made_up(&[
            ("proc/meminfo", "MemTotalX: 1 kB\nSwapTotal: 99999999999999999999 kB\nSwapFree: x\n"),
            ("sys/kernel/mm/transparent_hugepage/enabled", "always\n"),
        ]);
        assert_eq!(look(&files), Memory::default());
        assert_eq!(meminfo_bytes("MemTotal:    2048 kB\n", "MemTotal"), Some(2 << 20));
    }
}
