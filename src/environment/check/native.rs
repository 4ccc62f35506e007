//! Can a process be given the same limits as a container and a virtual machine?

use super::{Area, Finding, State, User};
use crate::environment::cgroup::limit::Place;
use crate::measure::equality::Limits;

/// Makes a control group and removes it at once: no other question has a true answer.
pub(super) fn look(limits: &Limits, user: &User) -> Vec<Finding> {
    let place = Place::find(&format!("doctor-{}", std::process::id()), limits);
    let place = place.map(|(place, _switched)| (place.shown().display().to_string(), place.has_cpu()));
    // Where version 1 holds a controller this is not the root of version 2.
    let can_delegate = std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    vec![judge(place, user, can_delegate)]
}

fn judge(place: Result<(String, bool), String>, user: &User, can_delegate: bool) -> Finding {
    let finding = |state, text: String| Finding::new(Area::Native, "limits", state, text);
    match place {
        Ok((place, true)) => {
            finding(State::Fine, format!("memory and CPU time, by control groups below {place}"))
        }
        Ok((place, false)) => {
            let text = format!(
                "memory by control groups below {place}; CPU time by affinity alone: no cpu controller there"
            );
            finding(State::Limited, text).mended_by(more_rights(user, can_delegate))
        }
        Err(why) => {
            let text = format!(
                "a process can be limited to CPUs and not in its memory: no control group can be made ({why})"
            );
            finding(State::Limited, text).mended_by(more_rights(user, can_delegate))
        }
    }
}

/// Only control groups of version 2 are given to a user.
fn more_rights(user: &User, can_delegate: bool) -> &'static str {
    match (user.root, can_delegate) {
        (true, _) => "run isocost outside of a container",
        (false, true) => "systemd-run --user --scope isocost run, or run isocost as root",
        (false, false) => "run isocost as root: control groups of version 1 are not given to users",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn less_than_all_limits_is_said_with_what_gives_more() {
        let user = User { root: false, manager: None };
        let judge = |place, can_delegate| judge(place, &user, can_delegate);
        assert_eq!(judge(Ok(("/cg".into(), true)), true).state, State::Fine);
        let some = judge(Ok(("/cg".into(), false)), true);
        assert!(some.state == State::Limited && some.detail.contains("affinity alone"), "{some:?}");
        let none = judge(Err("/cg: Permission denied".into()), true);
        assert!(none.detail.contains("Permission denied") && none.mend.unwrap().contains("systemd-run"));
        let version_1 = judge(Err("/cg: Permission denied".into()), false).mend.unwrap();
        assert!(version_1.starts_with("run isocost as root") && !version_1.contains("systemd-run"));
    }
}
