//! The gate: may this change go in?
//!
//! In: the samples of the baseline's sessions and of the candidate's, and the suite's limits. Out: a [`Gate`] with one
//! of three answers for each gated figure. What is compared with what, and how surely, is
//! [`compare`](crate::analysis::compare)'s; here that is held against limits, and against everything that would
//! otherwise pass for want of evidence. It must never know how anything is measured: a further session comes from a
//! function it is given.

mod answer;
mod decide;
mod drive;
mod interleaved;
mod limits;
mod missing;
mod told;
mod void;

pub use answer::{Answer, Gate, Judged, Reason};
pub use decide::decide;
pub use drive::{Decide, DriveError, Need, drive};
pub use interleaved::decide_inside;
pub use limits::Limit;
pub use missing::Missing;
pub use void::{GateError, Void, check};

#[cfg(test)]
mod tests;
