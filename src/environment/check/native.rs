//! Can a process be given the same limits as a container and a virtual machine?

use super::{Area, Finding, State, User};
use crate::environment::cgroup::limit::Place;
use crate::measure::equality::Limits;

/// Makes a control group and removes it at once: no other question has a true answer.
pub(super) fn look(limits: &Limits, user: &User) -> Vec<Finding> {
    let place = Place::find(&format!("doctor-{}", std::process::id()), limits);
    let place = place.map(|(place, _switched)| (place.shown().display().to_string(), place.has_cpu()));
    vec![judge(place, user)]
}

fn judge(place: Result<(String, bool), String>, user: &User) -> Finding {
    let finding = |state, text: String| Finding::new(Area::Native, "limits", state, text);
    match place {
        Ok((place, true)) => {
            finding(State::Fine, format!("memory and CPU time, by control groups below {place}"))
        }
        Ok((place, false)) => {
            let text = format!(
                "memory by control groups below {place}; CPU time by affinity alone: no cpu controller there"
            );
            finding(State::Limited, text).mended_by(more_rights(user))
        }
        Err(why) => {
            let text = format!(
                "a process can be limited to CPUs and not in its memory: no control group can be made ({why})"
            );
            finding(State::Limited, text).mended_by(more_rights(user))
        }
    }
}

fn more_rights(user: &User) -> &'static str {
    if user.root {
        "run isocost outside of a container"
    } else {
        "systemd-run --user --scope isocost run, or run isocost as root"
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn less_than_all_limits_is_said_with_what_gives_more() {
        let user = User { root: false, manager: None };
        assert_eq!(judge(Ok(("/cg".into(), true)), &user).state, State::Fine);
        let some = judge(Ok(("/cg".into(), false)), &user);
        assert!(some.state == State::Limited && some.detail.contains("affinity alone"), "{some:?}");
        let none = judge(Err("/cg: Permission denied".into()), &user);
        assert!(none.detail.contains("Permission denied") && none.mend.unwrap().contains("systemd-run"));
    }
}
