//! The agent's library: the protocol that both ends speak, what can be seen from inside, and the workloads.
//!
//! The harness uses [`protocol`] and, in its benches, the kernels in [`work`]; everything else is for the agent itself and
//! for programs that stand in for it in tests.

pub mod clock;
pub mod guest;
pub mod inspect;
pub mod link;
pub mod protocol;
pub mod sys;
pub mod work;
