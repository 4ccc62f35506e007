//! Numbers in, numbers out: order statistics, rank methods, resampling, distributions.
//!
//! In: slices of finite values. Out: values. Nothing here knows what a sample, a metric or a run is. What has a
//! closed form or an exact distribution is computed by it; only what has neither is resampled.

pub mod bootstrap;
pub mod detectable;
pub mod holm;
pub mod median;
pub mod modes;
pub mod normal;
pub mod order;
pub mod rank_sum;
pub mod robust;
pub mod serial;
pub mod signed_rank;
pub mod walsh;
