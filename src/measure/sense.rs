//! Sense before statistics: what breaks one of these rules is a failure by name, never a number.

use std::time::Duration;

use isocost_agent::protocol::{WorkDone, WorkOrder};

use super::clock::Instant;
use super::sample::{Failure, FailureName};
use super::span::Span;

/// Two clocks that run freely may differ by this much in rate: 500 ppm is the most that NTP corrects, on each.
const RATE: f64 = 0.001;

/// The coarsest clock a guest may have: one tick at 100 Hz.
const COARSE: Duration = Duration::from_millis(10);

/// What may lie between a work's end inside and its answer on the host, beside a tenth of it.
const ANSWER: Duration = Duration::from_secs(2);

/// A piece of work as the host saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Worked {
    /// What the agent said.
    pub done: WorkDone,
    /// When the host sent Run.
    pub sent: Instant,
    /// When the host had the answer.
    pub answered: Instant,
}

fn failure(name: FailureName, detail: String) -> Failure {
    Failure { name, detail }
}

/// A start or an end: parts in order that sum to the whole, longer than nothing and within its deadline.
///
/// # Errors
/// `ClockVoid` or `Impossible`.
pub fn span(span: &Span, deadline: Duration) -> Result<(), Failure> {
    span.check().map_err(|error| failure(FailureName::ClockVoid, error.to_string()))?;
    let length = Duration::from_nanos(span.ns());
    if length.is_zero() {
        return Err(failure(FailureName::Impossible, format!("{} took no time at all", span.name)));
    }
    if length > deadline {
        let detail = format!("{} took {length:?}, beyond its deadline of {deadline:?}", span.name);
        return Err(failure(FailureName::Impossible, detail));
    }
    Ok(())
}

/// A piece of work: done, for as long as was asked, on a clock that agrees with the host's.
///
/// # Errors
/// `ClockVoid` where the clocks cannot both be right, `Impossible` for all else.
pub fn work(worked: &Worked, order: &WorkOrder) -> Result<(), Failure> {
    let impossible = |detail: String| Err(failure(FailureName::Impossible, detail));
    let inside = Duration::from_nanos(worked.done.elapsed_ns);
    if worked.done.units == 0 {
        return impossible("no work was done".into());
    }
    if inside.is_zero() {
        return impossible("work took no time at all".into());
    }
    if worked.done.elapsed_ns < order.duration_ns {
        return impossible(format!("it worked for {inside:?}, {} ns were asked for", order.duration_ns));
    }
    clocks(inside, worked)?;
    let busy: u64 = worked.done.latencies_ns.iter().map(|&ns| u64::from(ns)).sum();
    if Duration::from_nanos(busy) > inside.mul_f64(1.0 + RATE) + COARSE {
        return impossible(format!("single operations sum to {busy} ns, all of them took {inside:?}"));
    }
    Ok(())
}

/// The host's stretch holds the inside one, and not much more.
fn clocks(inside: Duration, worked: &Worked) -> Result<(), Failure> {
    let void = |detail: String| Err(failure(FailureName::ClockVoid, detail));
    if worked.answered < worked.sent {
        return void("it was answered before it was asked".into());
    }
    let host = worked.answered.since(worked.sent);
    if inside > host.mul_f64(1.0 + RATE) + COARSE {
        return void(format!("{inside:?} passed inside while {host:?} passed on the host"));
    }
    if host > inside.mul_f64(1.1) + ANSWER {
        return void(format!("{host:?} passed on the host while {inside:?} passed inside"));
    }
    Ok(())
}

/// CPU time that `cpus` CPUs can have given in `elapsed`: a tenth is for what runs just before and after.
///
/// # Errors
/// `Impossible`.
pub fn cpu(used: Duration, cpus: u32, elapsed: Duration, tick: Duration) -> Result<(), Failure> {
    let most = elapsed.mul_f64(f64::from(cpus) * 1.1) + tick;
    if used > most {
        let detail = format!("{used:?} of CPU time in {elapsed:?} on {cpus} CPUs");
        return Err(failure(FailureName::Impossible, detail));
    }
    Ok(())
}

/// A value that can stand in a sample: finite and not below zero.
///
/// # Errors
/// `Impossible`.
pub fn value(value: f64) -> Result<f64, Failure> {
    if value.is_finite() && value >= 0.0 {
        return Ok(value);
    }
    Err(failure(FailureName::Impossible, format!("the figure would be {value}")))
}

#[cfg(test)]
#[path = "sense_tests.rs"]
mod tests;
