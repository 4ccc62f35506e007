//! Isocost's way and the way by hand, held against each other in rounds that take turns.
#![allow(clippy::unwrap_used)]

use std::process::ExitCode;

use isocost::analysis::statistics::order::median_of;
use isocost::analysis::statistics::signed_rank::{depth, interval};
use isocost::analysis::statistics::walsh::Walsh;

/// Runs both in each round, each first as often as the other; round 0 warms the caches. Fails where the whole 95 %
/// interval of the ratio inside rounds is above the goal. Both return milliseconds.
pub(crate) fn race(
    rounds: usize,
    goal: f64,
    mut hand: impl FnMut(usize) -> f64,
    mut ours: impl FnMut() -> f64,
) -> ExitCode {
    let (mut ours_ms, mut hand_ms) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (one, other) = if round % 2 == 0 {
            let one = ours();
            (one, hand(round))
        } else {
            let other = hand(round);
            (ours(), other)
        };
        if round > 0 {
            ours_ms.push(one);
            hand_ms.push(other);
        }
    }
    report(&ours_ms, &hand_ms, goal)
}

fn report(ours: &[f64], hand: &[f64], goal: f64) -> ExitCode {
    let (ours_median, hand_median) = (median_of(ours).unwrap(), median_of(hand).unwrap());
    println!("by hand  n {:>3}  median {hand_median:.2} ms", hand.len());
    println!("isocost  n {:>3}  median {ours_median:.2} ms", ours.len());
    let logs: Vec<f64> = ours.iter().zip(hand).map(|(ours, hand)| (ours / hand).ln()).collect();
    let walsh = Walsh::new(&logs);
    let ratio = walsh.median().unwrap().exp();
    println!("isocost / by hand: medians {:.4}, inside rounds {ratio:.4}", ours_median / hand_median);
    let Some((low, high)) = interval(&walsh, depth(logs.len(), 0.95)) else {
        println!("too few rounds for an interval");
        return ExitCode::SUCCESS;
    };
    let (low, high) = (low.exp(), high.exp());
    println!("95 % interval {low:.4} to {high:.4}; the goal is {goal}");
    if low > goal { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
