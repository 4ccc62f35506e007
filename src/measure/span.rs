//! A start (or a stop) as a tree of spans on one clock that sum to the whole.

use serde::{Deserialize, Serialize};

use super::clock::Instant;

/// A named stretch of time. Its children follow one another without gap or overlap and fill it exactly,
/// or there are none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// The metric's last part: `total`, `create`, `kernel`, …
    pub name: String,
    /// When it began.
    pub start: Instant,
    /// When it ended.
    pub end: Instant,
    /// How far `end` may be off, in nanoseconds: 0 for a stamp taken on the host, the offset's uncertainty
    /// for one that was mapped from another kernel's clock.
    #[serde(default)]
    pub uncertainty_ns: u64,
    /// What it is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Span>,
}

/// Why a tree of spans is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// An end before its start.
    #[error("span {name} ends {by_ns} ns before it starts")]
    Backwards {
        /// Which span.
        name: String,
        /// By how much.
        by_ns: u64,
    },
    /// Children that leave a gap, overlap, or do not fill their parent.
    #[error("the parts of span {name} do not sum to it: {detail}")]
    Gap {
        /// Which span.
        name: String,
        /// Where.
        detail: String,
    },
}

impl Span {
    /// A tree of one level from consecutive marks: `first` begins at `start`, each mark ends a part.
    #[must_use]
    pub fn from_marks(name: &str, start: Instant, marks: &[(&str, Instant)]) -> Self {
        let mut from = start;
        let children: Vec<Span> = marks
            .iter()
            .map(|(part, end)| {
                let span = Span {
                    name: (*part).to_owned(),
                    start: from,
                    end: *end,
                    uncertainty_ns: 0,
                    children: Vec::new(),
                };
                from = *end;
                span
            })
            .collect();
        Span { name: name.to_owned(), start, end: from, uncertainty_ns: 0, children }
    }

    /// The length in nanoseconds (0 if backwards; see [`Span::check`]).
    #[must_use]
    pub fn ns(&self) -> u64 {
        self.end.0.saturating_sub(self.start.0)
    }

    /// Checks order and sum of the whole tree.
    ///
    /// # Errors
    /// The first span found that runs backwards or whose children do not fill it exactly.
    pub fn check(&self) -> Result<(), SpanError> {
        if self.end < self.start {
            return Err(SpanError::Backwards { name: self.name.clone(), by_ns: self.start.0 - self.end.0 });
        }
        let mut from = self.start;
        for child in &self.children {
            child.check()?;
            if child.start != from {
                return Err(self.gap(&format!("{} does not begin where the part before it ends", child.name)));
            }
            from = child.end;
        }
        if !self.children.is_empty() && from != self.end {
            return Err(self.gap("the last part does not end with the whole"));
        }
        Ok(())
    }

    fn gap(&self, detail: &str) -> SpanError {
        SpanError::Gap { name: self.name.clone(), detail: detail.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_sum_to_the_whole() {
        let span = Span::from_marks("total", Instant(10), &[("create", Instant(15)), ("start", Instant(40))]);
        assert_eq!(span.ns(), 30);
        assert_eq!(span.children.iter().map(Span::ns).sum::<u64>(), 30);
        assert_eq!(span.check(), Ok(()));
    }

    #[test]
    fn a_backward_mark_is_an_error() {
        let span = Span::from_marks("total", Instant(10), &[("create", Instant(5)), ("start", Instant(40))]);
        assert!(matches!(span.check(), Err(SpanError::Backwards { name, by_ns: 5 }) if name == "create"));
    }

    #[test]
    fn a_gap_is_an_error() {
        let mut span = Span::from_marks("total", Instant(0), &[("a", Instant(5)), ("b", Instant(9))]);
        span.end = Instant(12);
        assert!(matches!(span.check(), Err(SpanError::Gap { .. })));
    }
}
