//! Virtual machines by QEMU.
//!
//! In: a [`QemuSpec`](crate::suite::QemuSpec), the kernel and disks from [`crate::image`], limits. Out: a running guest
//! whose agent has said Hello, the spans of its start, and what it costs. It must never know what is measured in the guest,
//! and never trust what the guest writes.

pub mod args;
pub mod error;
pub mod process;
pub mod qmp;
pub mod tap;
pub mod version;
