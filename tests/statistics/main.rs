//! Do the statistics keep what they promise? Simulated hosts that drift, spike, stick and have two speeds.
//!
//! `cargo test --test statistics` holds each promise against a few thousand experiments from fixed seeds.
//! `cargo test --release --test statistics -- --ignored --nocapture` prints the tables of docs/statistics.md from many
//! more.

#![allow(clippy::unwrap_used, missing_docs)]

mod between;
mod blocks;
mod experiment;
mod host;
mod peers;
mod planted;
mod power;
mod side_by_side;

use isocost::analysis::statistics::normal;

/// How often something happened.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    hits: u64,
    of: u64,
}

impl Share {
    fn count(all: impl IntoIterator<Item = bool>) -> Self {
        let mut share = Self::default();
        for hit in all {
            share.of += 1;
            share.hits += u64::from(hit);
        }
        share
    }

    fn value(self) -> f64 {
        self.hits as f64 / self.of as f64
    }

    /// Clopper-Pearson, two-sided 95 %.
    fn interval(self) -> (f64, f64) {
        normal::clopper_pearson(self.hits, self.of, 0.95)
    }

    fn text(self) -> String {
        format!("{:.1} %", self.value() * 100.0)
    }

    /// With its interval, for small shares.
    fn long_text(self) -> String {
        let (low, high) = self.interval();
        format!("{} of {} ({:.2}-{:.2} %)", self.hits, self.of, low * 100.0, high * 100.0)
    }
}

fn table(title: &str, columns: &[&str]) {
    println!("\n### {title}\n\n| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()));
}

fn line(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}
