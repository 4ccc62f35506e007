//! What a guest is made of: kernel, modules, initramfs, disks.
//!
//! In: which kernel, and the agent. Out: files in the cache, each known by its SHA-256. It must never boot
//! anything.
