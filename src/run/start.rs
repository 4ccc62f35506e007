//! The samples of a start and of an end: lengths of spans.

use std::time::Duration;

use super::log::Piece;
use crate::environment::Layer;
use crate::journal::StartRecord;
use crate::measure::clock::Instant;
use crate::measure::metric;
use crate::measure::sample::{Failure, Sample};
use crate::measure::sense;
use crate::measure::span::Span;

/// A start's samples, and its tree for the journal.
///
/// # Errors
/// It makes no sense.
pub(super) fn samples(
    piece: &Piece<'_>,
    span: &Span,
    marks: &[(String, Instant)],
    deadline: Duration,
) -> Result<(Vec<Sample>, StartRecord), Failure> {
    sense::span(span, deadline)?;
    let mut samples = vec![piece.sample("startup.ready", Ok(ms(span.ns())))];
    let since = |moment: Instant| moment.since(span.start).as_secs_f64() * 1e3;
    if let Some(agent) = span.children.iter().find(|part| part.name == "agent") {
        samples.push(piece.sample("startup.to-first-instruction", Ok(since(agent.start))));
    }
    samples.extend(lengths(piece, "startup.phase", span));
    // A call may return after the instance is ready, as a container engine's does.
    let within = |moment: &Instant| (span.start..=span.start.after(deadline)).contains(moment);
    let marks: Vec<_> = marks.iter().filter(|(_, moment)| within(moment)).collect();
    for (name, moment) in &marks {
        samples.extend(known(piece, &format!("startup.{name}"), since(*moment)));
    }
    let marks = marks.iter().map(|(name, moment)| (name.clone(), moment.0 - span.start.0)).collect();
    let at = piece.at;
    let record = StartRecord {
        block: at.block,
        position: at.position,
        environment: at.environment.clone(),
        accelerator: at.accelerator,
        span: span.clone(),
        marks,
    };
    Ok((samples, record))
}

/// What was made before the start.
pub(super) fn layer(piece: &Piece<'_>, layer: &Layer) -> Option<Sample> {
    layer.took.map(|took| piece.sample("startup.layer", Ok(took.as_secs_f64() * 1e3)))
}

/// An end's samples.
///
/// # Errors
/// It makes no sense.
pub(super) fn end_samples(
    piece: &Piece<'_>,
    span: &Span,
    deadline: Duration,
) -> Result<Vec<Sample>, Failure> {
    sense::span(span, deadline)?;
    let mut samples = vec![piece.sample("end.total", Ok(ms(span.ns())))];
    samples.extend(lengths(piece, "end", span));
    Ok(samples)
}

fn lengths(piece: &Piece<'_>, prefix: &str, span: &Span) -> Vec<Sample> {
    let parts = span.children.iter();
    parts.filter_map(|part| known(piece, &format!("{prefix}.{}", part.name), ms(part.ns()))).collect()
}

/// Parts that the catalogue has no name for stay in the journal's tree only.
fn known(piece: &Piece<'_>, name: &str, value: f64) -> Option<Sample> {
    metric::find(name).map(|metric| piece.sample(metric.name, Ok(value)))
}

fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::measure::sample::Accelerator;
    use crate::measure::sample::FailureName;
    use crate::run::log::At;

    fn at() -> At {
        let environment = "x".into();
        At { block: 1, position: 2, environment, accelerator: Accelerator::Kvm, warm_up: false }
    }

    fn named(samples: &[Sample]) -> Vec<(&str, Option<f64>)> {
        samples.iter().map(|sample| (&*sample.metric, sample.value())).collect()
    }

    #[test]
    fn phases_and_marks_become_samples() {
        let at = at();
        let piece = Piece::begin(&at, "start");
        let parts = [("vmm", Instant(3_000_000)), ("odd", Instant(5_000_000)), ("agent", Instant(9_000_000))];
        let span = Span::from_marks("ready", Instant(1_000_000), &parts);
        let marks = [("start-returned", 12_000_000), ("before", 999_999), ("late", 1_001_000_001)]
            .map(|(name, at)| (name.to_owned(), Instant(at)));
        let (samples, record) = super::samples(&piece, &span, &marks, Duration::from_secs(1)).unwrap();
        let expected = [
            ("startup.ready", Some(8.0)),
            ("startup.to-first-instruction", Some(4.0)),
            ("startup.phase.vmm", Some(2.0)),
            ("startup.phase.agent", Some(4.0)),
            ("startup.start-returned", Some(11.0)),
        ];
        assert_eq!(named(&samples), expected);
        assert_eq!(record.marks, [("start-returned".to_owned(), 11_000_000)]);
    }

    #[test]
    fn no_nanosecond_is_cut_off() {
        let at = at();
        let parts = [("exec", Instant(1_000_001)), ("agent", Instant(1_234_567))];
        let span = Span::from_marks("ready", Instant(0), &parts);
        let (samples, _) =
            super::samples(&Piece::begin(&at, "start"), &span, &[], Duration::from_secs(1)).unwrap();
        let value = |metric: &str| samples.iter().find(|one| one.metric == *metric).and_then(Sample::value);
        assert_eq!(value("startup.ready"), Some(1.234_567));
        assert_eq!(value("startup.phase.exec"), Some(1.000_001));
    }

    #[test]
    fn a_start_that_makes_no_sense_is_one_failure() {
        let at = at();
        let piece = Piece::begin(&at, "start");
        let span = Span::from_marks("ready", Instant(10), &[("vmm", Instant(5)), ("agent", Instant(20))]);
        let failure = super::samples(&piece, &span, &[], Duration::from_secs(1)).unwrap_err();
        assert_eq!(failure.name, FailureName::ClockVoid);
    }

    #[test]
    fn an_end_has_its_parts_or_is_late() {
        let at = at();
        let piece = Piece::begin(&at, "stop");
        let deadline = Duration::from_secs(1);
        let parts = [("stop", Instant(1_000_000)), ("remove", Instant(3_000_000))];
        let span = Span::from_marks("end", Instant(0), &parts);
        let samples = end_samples(&piece, &span, deadline).unwrap();
        let expected = [("end.total", Some(3.0)), ("end.stop", Some(1.0)), ("end.remove", Some(2.0))];
        assert_eq!(named(&samples), expected);
        let late = end_samples(&piece, &span, Duration::from_millis(2)).unwrap_err();
        assert_eq!(late.name, FailureName::Impossible);
    }
}
