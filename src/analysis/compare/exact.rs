//! Metrics without noise: any change is a fact.

use super::change::Why;
use super::judge::Weighed;
use crate::analysis::group::Series;

/// Base and new value where each side has only one.
pub(super) fn weigh(base: &[&Series<'_>], new: &[&Series<'_>]) -> Weighed {
    match (only(base), only(new)) {
        (Ok(None), _) => Weighed::Not(Why::NotInBase),
        (_, Ok(None)) => Weighed::Not(Why::NotInNew),
        (Ok(Some(base)), Ok(Some(new))) => Weighed::Exact { base, new },
        _ => Weighed::Not(Why::NotExact),
    }
}

fn only(sessions: &[&Series<'_>]) -> Result<Option<f64>, Why> {
    let mut values = sessions.iter().flat_map(|one| &one.taken).map(|one| one.value);
    let Some(first) = values.next() else { return Ok(None) };
    if values.all(|value| value == first) { Ok(Some(first)) } else { Err(Why::NotExact) }
}
