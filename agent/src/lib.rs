//! The agent's library: the protocol that both ends speak, what can be seen from inside, and the workloads.
//!
//! The harness uses [`protocol`] and, in its benches, the kernels in [`work`]; everything else is the agent's own.

pub mod clock;
pub mod inspect;
pub mod protocol;
pub mod sys;
pub mod work;
