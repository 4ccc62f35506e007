//! Other tools' default rules, written anew from their documentation, to be held against the same histories.
#![allow(dead_code)]

use isocost::analysis::statistics::{normal, order};

/// Does this build raise an alarm, given the ones before it? Smaller is better.
pub(crate) type Rule = fn(&[f64], f64) -> bool;

/// The rules that judge the newest build, by name.
pub(crate) const EACH_BUILD: [(&str, Rule); 7] = [
    ("github-action-benchmark 200 %", |past, new| ratio(past, new, 2.0)),
    ("github-action-benchmark 150 %", |past, new| ratio(past, new, 1.5)),
    ("github-action-benchmark 110 %", |past, new| ratio(past, new, 1.1)),
    ("Bencher t-test 0.99", bencher_t_test),
    ("Bencher percentage 10 %", bencher_percentage),
    ("rustc-perf", rustc_perf),
    ("Conbench z 5", conbench),
];

/// The last result times the alert threshold.
fn ratio(past: &[f64], new: f64, threshold: f64) -> bool {
    past.last().is_some_and(|last| new > last * threshold)
}

fn newest(past: &[f64], most: usize) -> &[f64] {
    &past[past.len().saturating_sub(most)..]
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

/// The recommended threshold: at most 64 results, upper boundary 0.99 with the prediction term; none without spread.
fn bencher_t_test(past: &[f64], new: f64) -> bool {
    let sample = newest(past, 64);
    if sample.len() < 2 {
        return false;
    }
    let (n, spread) = (sample.len() as f64, deviation(sample));
    let Some(t) = normal::t_quantile(0.99, n - 1.0) else { return false };
    spread > 0.0 && new > mean(sample) + t * spread * (1.0 + 1.0 / n).sqrt()
}

/// Ten per cent above the mean of at most 64 results.
fn bencher_percentage(past: &[f64], new: f64) -> bool {
    let sample = newest(past, 64);
    !sample.is_empty() && new > 1.1 * mean(sample)
}

/// The relative change to the last result exceeds Q3 + 3 IQR of those before it (at most 30, at least 10 of them).
fn rustc_perf(past: &[f64], new: f64) -> bool {
    let history = newest(past, 31);
    let changes: Vec<f64> = history.windows(2).map(|pair| (pair[1] / pair[0] - 1.0).abs()).collect();
    let threshold = if changes.len() < 10 {
        0.002
    } else {
        let sorted = order::sorted(&changes);
        let quartile = |q| order::quantile(&sorted, q).unwrap_or(0.0);
        quartile(0.75) + 3.0 * (quartile(0.75) - quartile(0.25))
    };
    past.last().is_some_and(|last| new / last - 1.0 > threshold)
}

/// Five standard deviations above the mean of at most 100 results, two at least.
fn conbench(past: &[f64], new: f64) -> bool {
    let sample = newest(past, 100);
    sample.len() >= 2 && deviation(sample) > 0.0 && (new - mean(sample)) / deviation(sample) > 5.0
}

/// Otava looking back: E-divisive in windows of 50, split while Student's t at the best split is below 0.01, then
/// merged until all are below 0.001 and above `least` relative change. First indices of new levels.
pub(crate) fn otava(series: &[f64], least: f64) -> Vec<usize> {
    const WINDOW: usize = 50;
    let mut weak = Vec::new();
    let mut start = 0;
    while start < series.len() {
        let end = series.len().min(start + WINDOW);
        let found = divide(&series[start..end]);
        let last = found.last().map_or(0, |at| start + at);
        weak.extend(found.into_iter().map(|at| start + at));
        start = last.max(start + WINDOW / 2);
    }
    weak.sort_unstable();
    weak.dedup();
    merge(series, weak, least)
}

fn merge(series: &[f64], mut places: Vec<usize>, least: f64) -> Vec<usize> {
    loop {
        let bounds: Vec<usize> =
            [0].into_iter().chain(places.iter().copied()).chain([series.len()]).collect();
        let judged: Vec<(f64, f64)> = (1..bounds.len() - 1)
            .map(|i| {
                let (left, right) = (&series[bounds[i - 1]..bounds[i]], &series[bounds[i]..bounds[i + 1]]);
                let (a, b) = (mean(left), mean(right));
                (student(left, right), (b / a - 1.0).abs().max((a / b - 1.0).abs()))
            })
            .collect();
        let weakest = (0..judged.len()).max_by(|&a, &b| judged[a].0.total_cmp(&judged[b].0));
        let smallest = (0..judged.len()).min_by(|&a, &b| judged[a].1.total_cmp(&judged[b].1));
        match (weakest, smallest) {
            (Some(i), _) if judged[i].0 >= 0.001 => places.remove(i),
            (_, Some(i)) if judged[i].1 <= least => places.remove(i),
            _ => return places,
        };
    }
}

fn divide(window: &[f64]) -> Vec<usize> {
    let mut places: Vec<usize> = Vec::new();
    loop {
        let bounds: Vec<usize> =
            [0].into_iter().chain(places.iter().copied()).chain([window.len()]).collect();
        let stretches = bounds.windows(2).filter(|pair| pair[1] - pair[0] >= 2);
        let best = stretches.map(|pair| (furthest(&window[pair[0]..pair[1]]), pair[0], pair[1]));
        let Some(((_, at), from, to)) = best.max_by(|a, b| a.0.0.total_cmp(&b.0.0)) else { return places };
        if student(&window[from..from + at], &window[from + at..to]) >= 0.01 {
            return places;
        }
        places.push(from + at);
        places.sort_unstable();
    }
}

/// The largest energy distance between `z[..at]` and `z[at..to]` over all `at` and `to`, and its `at`.
fn furthest(z: &[f64]) -> (f64, usize) {
    let apart =
        |x: &[f64], y: &[f64]| -> f64 { x.iter().flat_map(|a| y.iter().map(move |b| (a - b).abs())).sum() };
    let mut best = (f64::NEG_INFINITY, 1);
    for at in 1..z.len() {
        let left = &z[..at];
        let n = at as f64;
        let inside = if at < 2 { 0.0 } else { apart(left, left) / 2.0 / (n - 1.0) };
        let (mut between, mut right) = (0.0, 0.0);
        for to in at + 1..=z.len() {
            let new = &z[to - 1..to];
            between += apart(left, new);
            right += apart(&z[at..to - 1], new);
            let m = (to - at) as f64;
            let own = if to - at < 2 { 0.0 } else { right / (m - 1.0) };
            let q = 2.0 / (m + n) * (between - m * inside - n * own);
            if q > best.0 {
                best = (q, at);
            }
        }
    }
    best
}

/// The two-sided p of Student's t, the variances pooled from deviations divided by n.
fn student(left: &[f64], right: &[f64]) -> f64 {
    let (n, m) = (left.len() as f64, right.len() as f64);
    if left.len() + right.len() <= 2 {
        return 1.0;
    }
    let variance = |values: &[f64]| {
        let mean = mean(values);
        values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64
    };
    let freedom = n + m - 2.0;
    let pooled = ((n - 1.0) * variance(left) + (m - 1.0) * variance(right)) / freedom;
    let t = (mean(left) - mean(right)).abs() / (pooled * (1.0 / n + 1.0 / m)).sqrt();
    if t.is_nan() {
        return 1.0;
    }
    2.0 * (1.0 - t_cdf(t, freedom))
}

/// By the quantile function's inverse, bisected: exact enough for p against 0.001 and 0.01.
fn t_cdf(t: f64, freedom: f64) -> f64 {
    let (mut low, mut high) = (0.5, 1.0 - 1e-15);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        match normal::t_quantile(middle, freedom) {
            Some(q) if q < t => low = middle,
            _ => high = middle,
        }
    }
    low
}
