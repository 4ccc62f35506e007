//! For whom something is made: the run that a helper program is marked as part of, and the signal that ends it.
//!
//! The thread hands it down rather than each call: who starts a helper program waits for it on the same thread. What is made
//! for no run (by a test or a bench) has none, and is waited for to its end.

use std::cell::RefCell;
use std::time::Duration;

use super::error::ImageError;
use crate::wait::StopSignal;

thread_local! {
    static CURRENT: RefCell<Option<Errand>> = const { RefCell::new(None) };
}

/// What is made for a run.
#[derive(Debug, Clone)]
pub struct Errand {
    /// A variable, with its value, that each helper program has: by it clean-up finds those that a crash left.
    pub mark: (&'static str, String),
    /// Ends it early, with [`ImageError::Interrupted`].
    pub stop: StopSignal,
}

impl Errand {
    /// Does `work` for that run.
    pub fn carry_out<T>(&self, work: impl FnOnce() -> T) -> T {
        let _before = Before(CURRENT.replace(Some(self.clone())));
        work()
    }
}

/// Puts back what there was, in a panic too.
struct Before(Option<Errand>);

impl Drop for Before {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// The errand of this thread.
pub(super) fn current() -> Option<Errand> {
    CURRENT.with_borrow(Clone::clone)
}

/// # Errors
/// The run is to stop.
pub(super) fn check(doing: &str) -> Result<(), ImageError> {
    pause(Duration::ZERO, doing)
}

/// Waits for that long.
///
/// # Errors
/// The run is to stop.
pub(super) fn pause(time: Duration, doing: &str) -> Result<(), ImageError> {
    match current() {
        Some(errand) if errand.stop.raised_within(time) => {
            Err(ImageError::Interrupted { doing: doing.to_owned() })
        }
        Some(_) => Ok(()),
        None => {
            std::thread::sleep(time);
            Ok(())
        }
    }
}
