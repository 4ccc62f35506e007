//! What a run's figure is beside the first run's, and how many of all agree.

use super::SideBySide;
use crate::analysis::{Estimate, Row};
use crate::measure::metric;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Against {
    /// It is the first's.
    First,
    /// Both have an interval.
    Held(Held),
    /// Exact figures that are equal.
    Equal,
    /// Exact figures that are not: a fact.
    Changed(f64),
    /// One of them has no figure or no interval.
    Unknown,
}

/// Two figures with intervals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Held {
    pub(super) what: Compared,
    /// This run's figure divided by the first's.
    pub(super) factor: f64,
    /// The intervals overlap.
    pub(super) overlap: bool,
    /// The figures differ by no more than both intervals together leave open: the root of the sum of the squares of the
    /// two sides that face each other, for both figures err, and independently.
    pub(super) agree: bool,
    /// How many of the two figures lie inside the other's interval.
    pub(super) inside: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compared {
    Medians,
    Ratios,
}

impl Against {
    pub(super) fn of(first: Option<&Row>, row: &Row, same_host: bool) -> Self {
        let Some(first) = first else { return Self::Unknown };
        if metric::find(&row.metric).is_some_and(|metric| metric.exact) {
            return match (first.median, row.median) {
                (Some(a), Some(b)) if a.value == b.value => Self::Equal,
                (Some(a), Some(b)) if a.value != 0.0 => Self::Changed(b.value / a.value),
                _ => Self::Unknown,
            };
        }
        let held = if same_host {
            Held::of(first.median, row.median, Compared::Medians)
        } else {
            Held::of(first.ratio.stated(), row.ratio.stated(), Compared::Ratios)
        };
        held.map_or(Self::Unknown, Self::Held)
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Held(Held { what: Compared::Medians, overlap: true, .. }) => "medians-overlap",
            Self::Held(Held { what: Compared::Ratios, overlap: true, .. }) => "ratios-overlap",
            Self::Held(Held { what: Compared::Medians, .. }) => "medians-apart",
            Self::Held(Held { what: Compared::Ratios, .. }) => "ratios-apart",
            Self::Equal => "equal",
            Self::Changed(_) => "changed",
            Self::Unknown => "unknown",
        }
    }

    /// This run's figure divided by the first's.
    pub(super) fn factor(self) -> Option<f64> {
        match self {
            Self::Held(held) => Some(held.factor),
            Self::Changed(factor) => Some(factor),
            Self::First | Self::Equal | Self::Unknown => None,
        }
    }

    /// It is not what the first is.
    pub(super) fn is_apart(self) -> bool {
        matches!(self, Self::Held(Held { overlap: false, .. }) | Self::Changed(_))
    }
}

impl Held {
    pub(super) fn of(a: Option<Estimate>, b: Option<Estimate>, what: Compared) -> Option<Self> {
        let (a, b) = (a?, b?);
        let (x, y) = (a.interval?, b.interval?);
        let factor = b.value / a.value;
        let inside = usize::from((x.low..=x.high).contains(&b.value))
            + usize::from((y.low..=y.high).contains(&a.value));
        let overlap = x.low <= y.high && y.low <= x.high;
        let side = if a.value < b.value {
            (x.high - a.value).hypot(b.value - y.low)
        } else {
            (a.value - x.low).hypot(y.high - b.value)
        };
        let agree = (b.value - a.value).abs() <= side;
        factor.is_finite().then_some(Self { what, factor, overlap, agree, inside })
    }
}

/// How many figures agree, of those that have intervals in both runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Agreement {
    pub(super) compared: usize,
    pub(super) overlap: usize,
    pub(super) agree: usize,
    /// Of twice as many: of each two figures, both may lie inside the other's interval.
    pub(super) inside: usize,
}

impl Agreement {
    /// `chance`: also what is to be expected of two runs that differ by nothing else, with intervals of six blocks each
    /// (docs/accuracy.md).
    fn text(self, chance: bool) -> String {
        let by_chance = |percent: &str| if chance { format!(" ({percent} %)") } else { String::new() };
        format!(
            "{} of {} intervals overlap the first run's{}; {} of {} figures differ from it by no more than both intervals \
             together leave open{}; {} of {} times a figure is inside the other run's interval{}",
            self.overlap,
            self.compared,
            by_chance("99"),
            self.agree,
            self.compared,
            by_chance("97"),
            self.inside,
            2 * self.compared,
            by_chance("86"),
        )
    }
}

impl SideBySide {
    /// Of the metrics whose names begin so.
    pub(super) fn agreement(&self, prefix: &str) -> Agreement {
        let rows = self.rows.iter().filter(|row| row.metric.starts_with(prefix));
        let mut all = Agreement::default();
        for cell in rows.flat_map(|row| row.cells.iter().flatten()) {
            if let Against::Held(held) = cell.against {
                all.compared += 1;
                all.overlap += usize::from(held.overlap);
                all.agree += usize::from(held.agree);
                all.inside += held.inside;
            }
        }
        all
    }

    /// All of them and start-up alone, a sentence each.
    pub(super) fn agreements(&self) -> [String; 2] {
        [
            format!("All (in brackets what chance alone leaves): {}.", self.agreement("").text(true)),
            format!("Start-up: {}.", self.agreement("startup.").text(false)),
        ]
    }
}
