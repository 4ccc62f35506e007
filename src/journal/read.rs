//! The reading end: a run folder, whole or as far as it came.

use std::collections::BTreeMap;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::Utf8Error;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use super::folder::{JOURNAL_FILE, RUN_FILE};
use super::{CellConditions, Record, Repeat, SetAside, StartRecord, Timeline, belief, parse};
use crate::journal::record::{RunRecord, SCHEMA};
use crate::measure::name::Names;
use crate::measure::sample::Sample;
use crate::named_file;
use crate::plan::Role;

/// All of a run that is on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// `run.json`.
    pub record: RunRecord,
    /// In the order they were taken.
    pub samples: Vec<Sample>,
    /// The spans of each start.
    pub starts: Vec<StartRecord>,
    /// Memory over time.
    pub timelines: Vec<Timeline>,
    /// What the host did in each cell.
    pub conditions: Vec<CellConditions>,
    /// Blocks beyond the plan.
    pub repeats: Vec<Repeat>,
    /// Blocks that are not analysed because others stand for them.
    pub set_aside: Vec<SetAside>,
    /// The run ended by itself, by its budget or by a signal it saw; not by `kill -9`.
    pub complete: bool,
    /// The last line was cut short and is left out.
    pub dropped_tail: bool,
}

impl Run {
    /// What a block counts as; by the sample's own word (`warm_up`) where the plan does not have the block.
    #[must_use]
    pub fn role(&self, block: u32, warm_up: bool) -> Role {
        let stands = |repeat: &Repeat| self.set_aside.iter().any(|one| one.by == Some(repeat.block));
        let beyond = self.repeats.iter().find(|repeat| repeat.block == block);
        if self.set_aside.iter().any(|one| one.block == block) || beyond.is_some_and(|one| !stands(one)) {
            return Role::SetAside;
        }
        let planned = usize::try_from(block).ok().and_then(|index| self.record.plan.blocks.get(index));
        let planned = planned.filter(|planned| planned.index == block);
        // Of a run that was continued after repeats the numbers have a gap.
        match planned.or_else(|| self.record.plan.blocks.iter().find(|planned| planned.index == block)) {
            Some(planned) => planned.role,
            None if warm_up => Role::WarmUp,
            None => Role::Measured,
        }
    }
}

/// Why a run folder cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file that is not there or cannot be opened.
    #[error("cannot read {}: {source}; is it a run's folder?", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// Written by a later version.
    #[error("{} has schema {found}, this version reads up to {SCHEMA}; use the version of isocost that wrote it", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
    },
    /// `run.json` is not what it should be.
    #[error("{} is damaged: {detail}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Where and how.
        detail: String,
    },
    /// A line of the journal is not what it should be.
    #[error("{} is damaged in line {line}: {detail}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// How.
        detail: String,
    },
}

/// Reads the run in `dir`.
///
/// # Errors
/// The file, the line and what is wrong with it. A last line that was cut short is no error.
pub fn read(dir: &Path) -> Result<Run, JournalError> {
    let record = read_record(&dir.join(RUN_FILE))?;
    let path = dir.join(JOURNAL_FILE);
    let unreadable = |source| JournalError::Io { path: path.clone(), source };
    let file = named_file::open(&path).map_err(unreadable)?;
    let (parsed, dropped_tail) =
        parse_all(file, STRETCH_BYTES, MOST_LINE_BYTES).map_err(|error| match error {
            Broken::Io(source) => unreadable(source),
            Broken::Line(line, detail) => damaged(&path, line, detail),
        })?;
    check_header(&parsed, &record, &path)?;
    let run = Run {
        record,
        samples: parsed.samples,
        starts: parsed.starts,
        timelines: parsed.timelines,
        conditions: parsed.conditions,
        repeats: parsed.repeats,
        set_aside: parsed.set_aside,
        complete: parsed.end.is_some(),
        dropped_tail,
    };
    match belief::broken(&run, &path) {
        Some((line, detail)) => Err(damaged(&path, line, detail)),
        None => Ok(run),
    }
}

fn damaged(path: &Path, line: usize, detail: String) -> JournalError {
    JournalError::Line { path: path.to_owned(), line, detail }
}

#[derive(Deserialize)]
struct SchemaOnly {
    schema: u32,
}

/// The schema is looked at first: of a newer file nothing else can be relied on.
fn read_record(path: &Path) -> Result<RunRecord, JournalError> {
    let damaged =
        |e: serde_json::Error| JournalError::Record { path: path.to_owned(), detail: e.to_string() };
    let text = named_file::read(path, MOST_RECORD_BYTES)
        .map_err(|source| JournalError::Io { path: path.to_owned(), source })?;
    let SchemaOnly { schema } = serde_json::from_slice(&text).map_err(damaged)?;
    if schema > SCHEMA {
        return Err(JournalError::Newer { path: path.to_owned(), found: schema });
    }
    serde_json::from_slice(&text).map_err(damaged)
}

fn check_header(parsed: &Parsed, record: &RunRecord, path: &Path) -> Result<(), JournalError> {
    let refuse = |detail: String| Err(damaged(path, 1, detail));
    match &parsed.header {
        None => refuse("it does not begin with a header".to_owned()),
        Some((_, schema, _)) if *schema > SCHEMA => {
            Err(JournalError::Newer { path: path.to_owned(), found: *schema })
        }
        Some((line, ..)) if *line != 1 => refuse("it does not begin with a header".to_owned()),
        Some((_, _, id)) if *id != record.run_id => {
            refuse(format!("it is of run {id}, and {RUN_FILE} of run {}", record.run_id))
        }
        Some(_) => Ok(()),
    }
}

/// What a stretch of lines held; line numbers count from 1 inside it.
#[derive(Default)]
struct Parsed {
    lines: usize,
    header: Option<(usize, u32, String)>,
    samples: Vec<Sample>,
    starts: Vec<StartRecord>,
    timelines: Vec<Timeline>,
    conditions: Vec<CellConditions>,
    repeats: Vec<Repeat>,
    set_aside: Vec<SetAside>,
    end: Option<usize>,
}

impl Parsed {
    fn take(&mut self, record: Record) -> Result<(), String> {
        if self.end.is_some() {
            return Err("a record after the run's end".to_owned());
        }
        match record {
            Record::Header { schema, run_id } if self.header.is_none() => {
                self.header = Some((self.lines, schema, run_id));
            }
            Record::Header { .. } => return Err("a second header".to_owned()),
            Record::Sample(sample) => self.samples.push(sample),
            Record::Start(start) => self.starts.push(start),
            Record::Timeline(timeline) => self.timelines.push(timeline),
            Record::Conditions(conditions) => self.conditions.push(conditions),
            Record::Repeat(repeat) => self.repeats.push(repeat),
            Record::SetAside(aside) => self.set_aside.push(aside),
            Record::End => self.end = Some(self.lines),
        }
        Ok(())
    }

    fn join(&mut self, mut next: Self) -> Result<(), (usize, String)> {
        if self.end.is_some() && next.lines > 0 {
            return Err((self.lines + 1, "a record after the run's end".to_owned()));
        }
        if let Some((line, schema, id)) = next.header {
            if self.header.is_some() {
                return Err((self.lines + line, "a second header".to_owned()));
            }
            self.header = Some((self.lines + line, schema, id));
        }
        self.end = next.end.map(|line| self.lines + line);
        self.lines += next.lines;
        self.samples.append(&mut next.samples);
        self.starts.append(&mut next.starts);
        self.timelines.append(&mut next.timelines);
        self.conditions.append(&mut next.conditions);
        self.repeats.append(&mut next.repeats);
        self.set_aside.append(&mut next.set_aside);
        Ok(())
    }
}

/// The plan is the most of `run.json`: ten thousand blocks of a hundred cells have a tenth of it.
const MOST_RECORD_BYTES: u64 = 1 << 30;

/// The longest lines are a sample with all its latencies, a quarter of a MiB, and the time line of a cell: that of a whole
/// day has a third of this.
const MOST_LINE_BYTES: usize = 256 << 20;

/// What one thread parses at a time: of a large journal only so much text is in memory for each.
const STRETCH_BYTES: usize = 1 << 20;

/// Why parsing ended.
enum Broken {
    Io(std::io::Error),
    Line(usize, String),
}

/// The text of a journal, stretch by stretch, for threads that each take the next one when they are done with theirs.
struct Text<R> {
    from: R,
    stretch_bytes: usize,
    most_line: usize,
    /// Begins the next stretch: what followed the last whole line.
    rest: Vec<u8>,
    /// How many stretches were taken.
    taken: usize,
    ended: bool,
}

impl<R: Read> Text<R> {
    /// Whole lines, and which stretch they are.
    fn next(&mut self) -> Result<Option<(usize, Vec<u8>)>, Broken> {
        let mut text = std::mem::take(&mut self.rest);
        while !self.ended {
            let before = text.len();
            text.reserve(self.stretch_bytes);
            let read = self.from.by_ref().take(self.stretch_bytes as u64).read_to_end(&mut text);
            self.ended = !matches!(read, Ok(1..));
            read.map_err(Broken::Io)?;
            if let Some(end) = text[before..].iter().rposition(|&byte| byte == b'\n') {
                self.rest = text.split_off(before + end + 1);
                self.taken += 1;
                return Ok(Some((self.taken - 1, text)));
            }
            if text.len() > self.most_line {
                self.ended = true;
                // Of the stretch that would come next it is the first.
                return Err(Broken::Line(1, format!("it is longer than {} bytes", self.most_line)));
            }
        }
        self.rest = text;
        Ok(None)
    }
}

/// Stretches that were parsed, in the text's order; one that comes early waits for those before it.
#[derive(Default)]
struct Joined {
    all: Parsed,
    joined: usize,
    early: BTreeMap<usize, Result<Parsed, Broken>>,
    broken: Option<Broken>,
}

impl Joined {
    /// Whether there is any use in going on.
    fn take(&mut self, stretch: usize, parsed: Result<Parsed, Broken>) -> bool {
        self.early.insert(stretch, parsed);
        while let Some(next) = self.early.remove(&self.joined).filter(|_| self.broken.is_none()) {
            self.joined += 1;
            let lines = self.all.lines;
            let joined = next.map_err(|broken| match broken {
                Broken::Line(line, detail) => Broken::Line(lines + line, detail),
                Broken::Io(error) => Broken::Io(error),
            });
            let joined = joined
                .and_then(|next| self.all.join(next).map_err(|(line, detail)| Broken::Line(line, detail)));
            self.broken = joined.err();
        }
        self.broken.is_none()
    }
}

/// All whole lines, and whether something follows the last.
fn parse_all(
    from: impl Read + Send,
    stretch_bytes: usize,
    most_line: usize,
) -> Result<(Parsed, bool), Broken> {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(8);
    let text = Mutex::new(Text { from, stretch_bytes, most_line, rest: Vec::new(), taken: 0, ended: false });
    let joined = Mutex::new(Joined::default());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| parse_stretches(&text, &joined));
        }
    });
    let Joined { all, broken, .. } = joined.into_inner().unwrap_or_else(PoisonError::into_inner);
    let left = text.into_inner().unwrap_or_else(PoisonError::into_inner).rest;
    broken.map_or(Ok((all, !left.is_empty())), Err)
}

/// What each thread does. A panic of one is a panic of the scope, so that what it leaves locked is never used.
fn parse_stretches(text: &Mutex<Text<impl Read>>, joined: &Mutex<Joined>) {
    let mut names = Names::default();
    loop {
        let next = locked(text).next();
        let (stretch, parsed) = match next {
            Ok(Some((stretch, text))) => (stretch, parse_stretch(&text, &mut names)),
            Ok(None) => return,
            Err(broken) => (locked(text).taken, Err(broken)),
        };
        if !locked(joined).take(stretch, parsed) {
            return;
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn parse_stretch(text: &[u8], names: &mut Names) -> Result<Parsed, Broken> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    match std::str::from_utf8(text) {
        Ok(text) => parse_lines(text.split('\n').map(Ok), names),
        Err(_) => parse_lines(text.split(|&byte| byte == b'\n').map(std::str::from_utf8), names),
    }
}

fn parse_lines<'a>(
    lines: impl Iterator<Item = Result<&'a str, Utf8Error>>,
    names: &mut Names,
) -> Result<Parsed, Broken> {
    let mut parsed = Parsed::default();
    for line in lines {
        parsed.lines += 1;
        let record = line.map_err(|error| error.to_string()).and_then(|line| parse::line(line, names));
        record.and_then(|record| parsed.take(record)).map_err(|detail| Broken::Line(parsed.lines, detail))?;
    }
    Ok(parsed)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
