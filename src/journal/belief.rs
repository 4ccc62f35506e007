//! What cannot be in a journal, whoever wrote it: records of blocks that the run never had, and two samples of one thing.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use super::record::RunRecord;
use super::{Record, Repeat, Run, parse};
use crate::measure::name::Names;
use crate::measure::sample::Sample;
use crate::named_file;

/// The line of the first record that cannot be, and why; `None`: all can.
pub(super) fn broken(run: &Run, path: &Path) -> Option<(usize, String)> {
    let known = blocks(&run.record, &run.repeats);
    if !in_blocks(run, &known) {
        let line = line_of(path, |record| block_of(record).is_some_and(|block| !known.contains(&block)));
        return Some((line, "its block is neither planned nor a repeat".to_owned()));
    }
    if let Some((wrong, why)) = unsettled(run, &known) {
        return Some((line_of(path, |record| *record == wrong), why.to_owned()));
    }
    let doubled = doubled(&run.samples)?;
    let mut seen = false;
    let line = line_of(path, |record| match record {
        Record::Sample(sample) if key(sample) == key(doubled) => std::mem::replace(&mut seen, true),
        _ => false,
    });
    let Sample { block, environment, workload, metric, .. } = doubled;
    let what = format!("{} of {} in {}", metric.as_str(), workload.as_str(), environment.as_str());
    Some((line, format!("a second sample of {what} in block {block}")))
}

fn blocks(record: &RunRecord, repeats: &[Repeat]) -> HashSet<u32> {
    let planned = record.plan.blocks.iter().map(|block| block.index);
    planned.chain(repeats.iter().map(|repeat| repeat.block)).collect()
}

fn in_blocks(run: &Run, known: &HashSet<u32>) -> bool {
    let samples = run.samples.iter().map(|sample| sample.block);
    let starts = run.starts.iter().map(|start| start.block);
    let timelines = run.timelines.iter().map(|timeline| timeline.block);
    let conditions = run.conditions.iter().map(|conditions| conditions.block);
    // Very many stand one after the other in the same block.
    let mut last = None;
    samples.chain(starts).chain(timelines).chain(conditions).all(|block| {
        let is_known = last == Some(block) || known.contains(&block);
        last = Some(block);
        is_known
    })
}

/// A block may be left out only for one that was measured in its place, or because it was to stand for another.
fn unsettled(run: &Run, known: &HashSet<u32>) -> Option<(Record, &'static str)> {
    let mut repeats = HashMap::new();
    for repeat in &run.repeats {
        if repeat.of == repeat.block || !known.contains(&repeat.of) || repeats.contains_key(&repeat.block) {
            return Some((Record::Repeat(*repeat), "it repeats no block of the run, or is there twice"));
        }
        repeats.insert(repeat.block, repeat.of);
    }
    let mut left_out = HashSet::new();
    let mut standing = HashSet::new();
    let wrong = run.set_aside.iter().find(|aside| {
        let has_ground = match aside.by {
            Some(by) => repeats.get(&by) == Some(&aside.block) && standing.insert(by),
            None => repeats.contains_key(&aside.block),
        };
        !has_ground || !left_out.insert(aside.block)
    })?;
    Some((Record::SetAside(*wrong), "it sets a block aside for which no repeat stands, or one twice"))
}

fn block_of(record: &Record) -> Option<u32> {
    match record {
        Record::Sample(sample) => Some(sample.block),
        Record::Start(start) => Some(start.block),
        Record::Timeline(timeline) => Some(timeline.block),
        Record::Conditions(conditions) => Some(conditions.block),
        Record::Header { .. } | Record::Repeat(_) | Record::SetAside(_) | Record::End => None,
    }
}

type Key<'a> = (u32, &'a str, &'a str, &'a str);

fn key(sample: &Sample) -> Key<'_> {
    (sample.block, &sample.environment, &sample.workload, &sample.metric)
}

/// One of two samples of the same thing. A journal of a million has a hundred kinds: numbers are sorted, not names.
fn doubled(samples: &[Sample]) -> Option<&Sample> {
    let mut kinds = HashMap::new();
    let number = |sample| {
        let (block, environment, workload, metric) = key(sample);
        let next = kinds.len() as u64;
        let kind = *kinds.entry((environment, workload, metric)).or_insert(next);
        // As blocks come one after the other this is nearly sorted already.
        (u64::from(block) << 32) | kind
    };
    let mut numbers: Vec<(u64, u32)> = samples.iter().map(number).zip(0..).collect();
    numbers.sort_unstable();
    let pair = numbers.windows(2).find(|pair| pair[0].0 == pair[1].0)?;
    samples.get(usize::try_from(pair[1].1).ok()?)
}

/// The file is read once more, line by line: nobody waits for that but who has to mend it.
fn line_of(path: &Path, mut is_it: impl FnMut(&Record) -> bool) -> usize {
    let Ok(file) = named_file::open(path) else { return 1 };
    let mut names = Names::default();
    let mut lines = BufReader::new(file).lines();
    let found = lines.position(|line| {
        line.ok().and_then(|line| parse::line(&line, &mut names).ok()).is_some_and(|record| is_it(&record))
    });
    found.map_or(1, |at| at + 1)
}
