//! Others' results into the history, once each.
//!
//! A format names a result by its time and its commit, and several results may have both alike. So which one is there
//! already is told by its figures: what has the same is the same, what has these and more is the same after it grew, and all
//! else is another result.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::add::{Added, again, check, insert_run, points};
use super::connection::{Connection, Row as _, Trouble, Value, transaction};
use super::entry::{Entry, SeriesKey};
use super::error::HistoryError;
use super::foreign::entries;
use super::query::{count, key, time};
use super::store::{History, Known};
use crate::regression::formats::Imported;

impl History {
    /// Adds what a file of another tool held, unless it is there already; what was done with each of its results.
    ///
    /// # Errors
    /// A figure that is not finite, before anything is written, or the database's.
    pub fn add_file(&mut self, imported: &Imported, format: &str) -> Result<Vec<Added>, HistoryError> {
        let entries = entries(imported, format);
        entries.iter().try_for_each(check)?;
        let mut all = vec![Added::Known; entries.len()];
        // Each row stands for one result of the file: two that are equal are two rows.
        let mut taken = HashSet::new();
        for alike in alike(&entries, imported.undated) {
            let mut known = self.known.clone();
            let some: Vec<&Entry> = alike.iter().map(|&place| &entries[place]).collect();
            // One file at a time: what another one adds meanwhile may be the same.
            let added = transaction(self.connection.as_mut(), true, |connection| {
                known.clone_from(&self.known);
                let mut taken = taken.clone();
                Ok((put(connection, &mut known, &some, imported.undated, &mut taken)?, taken))
            });
            let added = added.map_err(|trouble| trouble.at(&self.place, "take in a file's results"))?;
            self.known = known;
            let (added, now) = added;
            taken = now;
            alike.into_iter().zip(added).for_each(|(place, added)| all[place] = added);
        }
        Ok(all)
    }
}

/// Places of results that nothing but their figures tells apart, in the file's order.
fn alike(entries: &[Entry], undated: bool) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = Vec::new();
    let mut found = HashMap::new();
    for (place, entry) in entries.iter().enumerate() {
        let at = (!undated).then_some(entry.started_at);
        let source = &entry.source;
        let group = *found.entry((at, &source.commit, &source.branch, &source.machine)).or_insert(all.len());
        match all.get_mut(group) {
            Some(places) => places.push(place),
            None => all.push(vec![place]),
        }
    }
    all
}

/// A result that is there.
struct There {
    id: i64,
    digest: String,
    started_at: jiff::Timestamp,
    /// Does it leave open what the file's result says of itself?
    nameless: bool,
    /// Its figures; asked for only where they matter.
    figures: Option<BTreeSet<String>>,
}

/// Adds results that nothing but their figures tells apart.
fn put(
    connection: &mut dyn Connection,
    known: &mut Known,
    entries: &[&Entry],
    undated: bool,
    taken: &mut HashSet<i64>,
) -> Result<Vec<Added>, Trouble> {
    let Some(first) = entries.first() else { return Ok(Vec::new()) };
    let mut there = there(connection, first, undated)?;
    there.retain(|one| !taken.contains(&one.id));
    let mut done: Vec<Option<Added>> = vec![None; entries.len()];
    // What is there as it is comes first, so that no other takes its row for having grown.
    let mut by_digest: HashMap<&str, Vec<&There>> = HashMap::new();
    for one in there.iter().rev() {
        by_digest.entry(&one.digest).or_default().push(one);
    }
    for (entry, done) in entries.iter().zip(&mut done) {
        if let Some(one) = by_digest.get_mut(entry.digest.as_str()).and_then(Vec::pop) {
            taken.insert(one.id);
            name(connection, one, entry)?;
            *done = Some(Added::Known);
        }
    }
    there.retain(|one| !taken.contains(&one.id));
    for (entry, done) in entries.iter().zip(&mut done).filter(|(_, done)| done.is_none()) {
        *done = Some(match grown(connection, &mut there, entry)? {
            Some((place, Added::Replaced)) => {
                let mut entry = (*entry).clone();
                entry.started_at = there[place].started_at;
                let run = again(connection, there.remove(place).id, &entry, None)?;
                taken.insert(run);
                points(connection, known, run, &entry.measured)?;
                Added::Replaced
            }
            Some((place, added)) => {
                let one = there.remove(place);
                taken.insert(one.id);
                name(connection, &one, entry)?;
                added
            }
            None => insert(connection, known, entry, taken)?,
        });
    }
    Ok(done.into_iter().flatten().collect())
}

/// Those first that say the same of themselves. Of a branch or machine, and of a commit where there is a time, one of the two may
/// say nothing: it was named at one import of the file and not at another.
fn there(connection: &mut dyn Connection, like: &Entry, undated: bool) -> Result<Vec<There>, Trouble> {
    let said = [&like.source.commit, &like.source.branch, &like.source.machine]
        .map(|text| text.clone().unwrap_or_default());
    let mut sql =
        "SELECT id, digest, started_at, COALESCE(commit_id, ''), COALESCE(branch, ''), COALESCE(machine, ''),
        suite FROM run WHERE origin = $1"
            .to_owned();
    let mut values: Vec<Value> = vec![like.origin.as_str().into()];
    if undated {
        sql += " AND COALESCE(commit_id, '') = $2";
        values.push(said[0].as_str().into());
    } else {
        sql += " AND started_at = $2";
        values.push(like.started_at.as_microsecond().into());
    }
    let rows = connection.query(&format!("{sql} ORDER BY id"), &values)?;
    let mut found = Vec::new();
    for row in &rows {
        let theirs = [row.text(3)?, row.text(4)?, row.text(5)?];
        let pairs = || said.iter().zip(&theirs).filter(|(own, theirs)| own != theirs);
        if pairs().all(|(own, theirs)| own.is_empty() || theirs.is_empty()) {
            let nameless = pairs().any(|(_, theirs)| theirs.is_empty())
                || (like.suite.is_some() && row.maybe_text(6).is_none());
            let (id, digest, started_at) = (row.integer(0)?, row.text(1)?, time(row.integer(2)?)?);
            found.push((pairs().count(), There { id, digest, started_at, nameless, figures: None }));
        }
    }
    found.sort_by_key(|(open, _)| *open);
    Ok(found.into_iter().map(|(_, one)| one).collect())
}

/// Says of a row which code and suite it was, where it does not.
fn name(connection: &mut dyn Connection, there: &There, entry: &Entry) -> Result<(), Trouble> {
    if there.nameless {
        let sql = "UPDATE run SET commit_id = COALESCE(commit_id, $1), branch = COALESCE(branch, $2),
            machine = COALESCE(machine, $3), suite = COALESCE(suite, $4) WHERE id = $5";
        let source = &entry.source;
        let said = [&source.commit, &source.branch, &source.machine, &entry.suite];
        let said = said.map(|text| text.as_deref().into());
        connection.execute(sql, &[&said[..], &[there.id.into()]].concat())?;
    }
    Ok(())
}

/// The row that is this one before it grew, or after; `None` where all are others.
fn grown(
    connection: &mut dyn Connection,
    there: &mut [There],
    entry: &Entry,
) -> Result<Option<(usize, Added)>, Trouble> {
    let own: BTreeSet<String> =
        entry.measured.iter().map(|one| figure(&one.key, one.value, one.interval, one.n)).collect();
    for one in there.iter_mut().filter(|one| one.figures.is_none()) {
        one.figures = Some(figures_of(connection, one.id)?);
    }
    let place = |alike: &dyn Fn(&BTreeSet<String>) -> bool, added| {
        let found = there.iter().position(|one| one.figures.as_ref().is_some_and(alike));
        found.map(|place| (place, added))
    };
    Ok(place(&|theirs| *theirs == own, Added::Known)
        .or_else(|| place(&|theirs| theirs.is_subset(&own), Added::Replaced))
        .or_else(|| place(&|theirs| own.is_subset(theirs), Added::Shorter)))
}

/// A figure as a text that is another one for each other figure.
fn figure(key: &SeriesKey, value: Option<f64>, interval: Option<(f64, f64)>, n: Option<u32>) -> String {
    format!("{key:?} {value:?} {interval:?} {n:?}")
}

fn figures_of(connection: &mut dyn Connection, run: i64) -> Result<BTreeSet<String>, Trouble> {
    let sql = "SELECT series.environment, accelerator, workload, metric, unit, value, low, high, n FROM point
        JOIN series ON series.id = point.series WHERE run = $1";
    let rows = connection.query(sql, &[run.into()])?;
    rows.iter()
        .map(|row| {
            let interval = row.maybe_real(6).zip(row.maybe_real(7));
            Ok(figure(&key(row, 0)?, row.maybe_real(5), interval, count(row, 8)))
        })
        .collect()
}

/// A new row, under the first free one of its ids.
fn insert(
    connection: &mut dyn Connection,
    known: &mut Known,
    entry: &Entry,
    taken: &mut HashSet<i64>,
) -> Result<Added, Trouble> {
    let mut entry = entry.clone();
    let id = entry.run_id.clone();
    let mut copy = 1;
    loop {
        if let Some(run) = insert_run(connection, &entry, None)? {
            taken.insert(run);
            points(connection, known, run, &entry.measured)?;
            return Ok(Added::New);
        }
        // An equal one of this file has it, or another program has added it between the question and now.
        let sql = "SELECT id, digest FROM run WHERE run_id = $1";
        let rows = connection.query(sql, &[entry.run_id.as_str().into()])?;
        if let Some(row) = rows.first()
            && row.text(1)? == entry.digest
            && taken.insert(row.integer(0)?)
        {
            return Ok(Added::Known);
        }
        copy += 1;
        entry.run_id = format!("{id}-{copy}");
    }
}
