//! What a guest is made of: kernel, modules, initramfs, disks.
//!
//! In: which kernel, and the agent. Out: files in the cache, each known by its SHA-256. It must never boot
//! anything.

mod cache;
pub mod compression;
pub mod debian;
pub mod disk;
mod errand;
pub mod error;
pub mod guest;
pub mod initramfs;
pub mod kernel;
pub mod modules;
mod program;
pub mod tsc;
pub mod vmlinux;

pub use errand::Errand;
pub use error::ImageError;
