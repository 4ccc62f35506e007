//! The agent's library: the protocol that both ends speak, and the workloads.
//!
//! The harness uses [`protocol`] and the names in [`workload`]; everything else is the agent's own.

pub mod protocol;
