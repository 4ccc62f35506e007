#![allow(clippy::unwrap_used)]

use super::*;
use crate::analysis::{Comparability, DifferenceSeen, Summary};
use crate::environment::Kind;
use crate::journal::Run;
use crate::journal::record::Ending;
use crate::report::{fixture, page as whole};

fn quick() -> (Run, Summary) {
    let run = fixture::quick(6, Accelerator::Tcg);
    let summary = fixture::summarise(&run);
    (run, summary)
}

/// With `ISOCOST_PLOTS` set to a folder, the pages of these tests are put there to be looked at.
fn keep(name: &str, page: &str) {
    let Some(folder) = std::env::var_os("ISOCOST_PLOTS").map(std::path::PathBuf::from) else { return };
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}.html")), page).unwrap();
}

/// The page without its style and its pictures, which have tests of their own.
fn words(page: &str) -> String {
    without(&without(page, "<style>", "</style>"), "<svg", "</svg>")
}

fn without(page: &str, open: &str, close: &str) -> String {
    let mut parts = page.split(open);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text += &format!("{open}…{close}{}", part.split_once(close).unwrap().1);
    }
    text
}

#[test]
fn the_page_of_a_quick_run() {
    let (run, summary) = quick();
    let page = whole(&run, &summary).unwrap();
    keep("quick", &page);
    insta::assert_snapshot!(words(&page));
}

#[test]
fn it_needs_nothing_from_elsewhere_and_runs_nothing() {
    let (run, summary) = quick();
    let page = whole(&run, &summary).unwrap();
    for forbidden in ["<script", "<link", "<img", "@import", "url(", "src=", "http://", "https://"] {
        let allowed = "xmlns=\"http://www.w3.org/2000/svg\"";
        assert!(!page.replace(allowed, "").contains(forbidden), "{forbidden}");
    }
    assert_eq!(page.matches("<svg").count(), 6);
}

#[test]
fn first_comes_what_a_reader_must_know() {
    let (run, summary) = quick();
    let page = whole(&run, &summary).unwrap();
    let at = |what: &str| page.find(what).unwrap_or_else(|| panic!("{what}"));
    assert!(at("say nothing of KVM") < at("How long does a start take?"));
    assert!(at("What does it cost on disk?") < at("id=\"same\""));
    assert!(page.contains("never-ready") && page.contains("no Hello within 30 s"));
    assert!(page.contains("isocost rerun RUN") && page.contains(fixture::AGENT) && page.contains("42"));
}

#[test]
fn both_versions_are_named_where_they_differ_and_equal_blocks_are_counted() {
    let (mut run, summary) = quick();
    run.record.isocost_version = "0.0.9".into();
    let page = whole(&run, &summary).unwrap();
    let made = format!("Made by Isocost {} of a run by Isocost 0.0.9.", env!("CARGO_PKG_VERSION"));
    assert!(page.contains(&made) && page.contains("Latencies of single operations"));
    let mut row = summary.rows.iter().find(|row| row.effect.is_some()).unwrap().clone();
    let estimate = Estimate { value: 1.0, interval: None };
    row.ratio = Ratio::Stated { estimate, pairs: 6 };
    let effect = row.effect.as_mut().unwrap();
    (effect.above, effect.below, effect.equal) = (0, 0, 6);
    assert_eq!(agreeing(&row), "equal in 6 of 6 blocks");
    let effect = row.effect.as_mut().unwrap();
    (effect.above, effect.below, effect.equal) = (3, 1, 2);
    assert_eq!(agreeing(&row), "above in 3, equal in 2 of 6 blocks");
    let interval = Some(crate::analysis::Interval { low: 1.01, high: 1.02 });
    row.ratio = Ratio::Stated { estimate: Estimate { value: 1.015, interval }, pairs: 6 };
    let effect = row.effect.as_mut().unwrap();
    (effect.unresolved, effect.small) = (false, true);
    assert!(verdict(&row).ends_with("too little to matter"));
    row.effect.as_mut().unwrap().unresolved = true;
    assert_eq!(verdict(&row), "no difference that its source could show");
}

#[test]
fn operations_that_were_left_out_are_said() {
    let (run, mut summary) = quick();
    summary.latencies[0].kept_one_in = Some((8, 16));
    let page = whole(&run, &summary).unwrap();
    let operations = summary.latencies[0].operations;
    assert!(page.contains(&format!("{operations}, 1 in 8 to 16</td>")) && page.contains("the slowest kept"));
}

#[test]
fn kvm_has_no_banner() {
    let run = fixture::quick(6, Accelerator::Kvm);
    let page = whole(&run, &fixture::summarise(&run)).unwrap();
    keep("kvm", &page);
    assert!(!page.contains("role=\"alert\"") && page.contains("VM, KVM"));
}

#[test]
fn a_run_that_is_not_whole_says_so_first() {
    let (mut run, summary) = quick();
    (run.complete, run.dropped_tail, run.record.ending) = (false, true, Ending::Unfinished);
    let page = whole(&run, &summary).unwrap();
    assert_eq!(page.matches("role=\"alert\"").count(), 3);
    assert!(page.contains("did not end by itself") && page.contains("cut short"));
}

#[test]
fn what_a_guest_says_is_text() {
    let (mut run, _) = quick();
    let evil = "<script>alert(1)</script>\u{1b}[2J\u{202e}\"'&";
    run.record.warnings = vec![evil.into()];
    run.record.run_id = evil.into();
    run.record.plan.suite.name = evil.into();
    run.record.plan.suite.description = evil.into();
    run.record.host.cpu_model = Some(evil.into());
    run.record.environments[1].id = evil.into();
    run.record.environments[1].prepared.facts = vec![(evil.into(), evil.into())];
    let seen = run.record.environments[2].inspection.as_mut().unwrap();
    (seen.kernel_release, seen.cpu_model, seen.agent_sha256) = (evil.into(), Some(evil.into()), evil.into());
    seen.mitigations = vec![(evil.into(), evil.into())];
    for sample in &mut run.samples {
        if sample.environment == "docker" {
            sample.environment = evil.into();
        }
        if let Outcome::Failed(failure) = &mut sample.outcome {
            failure.detail = evil.into();
        }
    }
    let summary = fixture::summarise(&run);
    let page = whole(&run, &summary).unwrap();
    assert!(!page.contains("<script") && !page.contains('\u{1b}') && !page.contains('\u{202e}'));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;"));
    assert!(page.contains("Not every environment has shown"));
}

#[test]
fn what_is_withheld_says_why() {
    let (run, mut summary) = quick();
    for row in summary.rows.iter_mut().filter(|row| row.kind == Kind::Docker) {
        row.ratio = Ratio::Missing(crate::analysis::Missing::Withheld);
    }
    summary.comparability[0] = Comparability {
        environment: "docker".into(),
        withheld: Some("CPUs: 2 in native, 16 in docker".into()),
        differences: vec![DifferenceSeen {
            what: "CPUs".into(),
            control: "2".into(),
            environment: "16".into(),
            must_match: true,
        }],
    };
    let page = whole(&run, &summary).unwrap();
    assert!(
        page.contains("Ratios of docker are withheld:")
            && page.contains("No ratio of docker to native is stated")
    );
    assert!(page.contains("withheld: the sizes seen from inside differ"));
}

#[test]
fn an_empty_run_has_a_page_too() {
    let (mut run, _) = quick();
    (run.samples, run.starts, run.timelines) = (Vec::new(), Vec::new(), Vec::new());
    run.record.environments.clear();
    run.complete = false;
    let page = whole(&run, &fixture::summarise(&run)).unwrap();
    keep("empty", &page);
    assert_eq!(page.matches("There is no picture").count(), 6);
    assert!(page.contains("No start was measured."));
}

/// A caption that does not wrap makes its table as wide as itself, and one that does is no place to explain.
#[test]
fn captions_are_short_and_wrap() {
    let (run, summary) = quick();
    let page = whole(&run, &summary).unwrap();
    let style = page.split_once("\ncaption {").unwrap().1.split_once('}').unwrap().0;
    assert!(!style.contains("nowrap"), "{style}");
    for caption in page.split("<caption>").skip(1) {
        let caption = caption.split_once("</caption>").unwrap().0;
        assert!(caption.chars().count() < 100, "{caption}");
    }
}

#[test]
fn tables_have_headers_and_pictures_have_words() {
    let (run, summary) = quick();
    let page = whole(&run, &summary).unwrap();
    assert_eq!(page.matches("<svg").count(), page.matches("role=\"img\"").count());
    assert_eq!(page.matches("<svg").count(), page.matches("<desc>").count());
    for row in page.split("<thead>").skip(1) {
        let head = row.split("</thead>").next().unwrap();
        assert_eq!(head.matches("<th").count(), head.matches("scope=\"col\"").count());
    }
}
