//! JUnit XML, which most of them can show.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Findings, Outcome};

/// A report with a suite for each environment and a case for each figure. A regression is a failure; an undecided
/// figure is skipped with its reason, which is as much as the format can say short of a failure.
///
/// # Errors
/// The XML writer's, which a string does not give.
pub fn junit(findings: &Findings) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new(&findings.name);
    // Each once, in the order they come first: cases of one group need not follow each other.
    let mut groups: Vec<&str> = Vec::new();
    for case in &findings.cases {
        if !groups.contains(&case.group.as_str()) {
            groups.push(&case.group);
        }
    }
    for group in groups {
        let mut suite = TestSuite::new(group);
        for case in findings.cases.iter().filter(|case| case.group == group) {
            let status = match case.outcome {
                Outcome::Passed | Outcome::Improved => TestCaseStatus::success(),
                Outcome::Regressed => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    status.set_type("regression").set_message(case.line());
                    status
                }
                Outcome::Undecided => {
                    let mut status = TestCaseStatus::skipped();
                    status.set_type("undecided").set_message(case.line());
                    status
                }
            };
            let mut test = TestCase::new(&case.name, status);
            test.set_classname(format!("isocost.{group}")).set_system_out(case.line());
            suite.add_test_case(test);
        }
        report.add_test_suite(suite);
    }
    report.to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::regression::ci::{Case, examples};

    #[test]
    fn a_reader_of_the_format_sees_every_case() {
        let text = junit(&examples::findings()).unwrap();
        let report = Report::deserialize_from_str(&text).unwrap();
        assert_eq!((report.tests, report.failures, report.errors), (4, 1, 0));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_group_that_comes_twice_is_one_suite() {
        let mut findings = examples::findings();
        let case = findings.cases[0].clone();
        findings.cases = ["a", "b", "a"].map(|group| Case { group: group.into(), ..case.clone() }).into();
        let report = Report::deserialize_from_str(&junit(&findings).unwrap()).unwrap();
        let seen: Vec<_> =
            report.test_suites.iter().map(|suite| (suite.name.as_str(), suite.tests)).collect();
        assert_eq!(seen, [("a", 2), ("b", 1)]);
        assert_eq!(report.tests, 3);
    }

    #[test]
    fn control_characters_do_not_break_the_file() {
        let mut findings = examples::findings();
        findings.cases[0].notes.push("\u{0}\u{b}\u{1b}[31m ]]> &amp;".into());
        let text = junit(&findings).unwrap();
        Report::deserialize_from_str(&text).unwrap();
        assert!(!text.contains('\u{1b}'));
    }
}
