#![allow(clippy::unwrap_used)]

use super::super::cpu::Cpus;
use super::super::memory::Memory;
use super::*;

fn governors(all: &[(&str, &str)]) -> Option<BTreeMap<String, CpuList>> {
    Some(all.iter().map(|(governor, cpus)| ((*governor).to_owned(), cpus.parse().unwrap())).collect())
}

/// A quiet server of its own.
fn quiet() -> Host {
    Host {
        online_cpus: 8,
        clock_source: Some("tsc".into()),
        virtualised: Some(false),
        scratch_free_bytes: Some(100 << 30),
        cpus: Cpus {
            governors: governors(&[("performance", "0-7")]),
            turbo: Some(Turbo::Off),
            smt: Some(false),
            allowed: Some("0-7".parse().unwrap()),
            throttled: Some(0),
            ..Cpus::default()
        },
        memory: Memory {
            swap_bytes: Some(1 << 30),
            swap_used_bytes: Some(0),
            huge_pages: Some("madvise".into()),
            same_page_merging: Some(false),
            address_randomisation: Some(2),
            ..Memory::default()
        },
        before: Some(Activity {
            others_cpus: Some(0.01),
            stolen: Some(0.0),
            swapped_pages: Some(0),
            ..Activity::default()
        }),
        ..Host::default()
    }
}

/// A laptop in use, in every way wrong.
fn loud() -> Host {
    let loudest = Some(Loud { name: "firefox".into(), cpus: 60.0 });
    Host {
        clock_source: Some("hpet".into()),
        virtualised: Some(true),
        virtualised_by: Some("Xen HVM domU".into()),
        scratch_free_bytes: Some(1 << 30),
        on_battery: Some(true),
        cpus: Cpus {
            governors: governors(&[("performance", "2-7"), ("schedutil", "0-1")]),
            turbo: Some(Turbo::OnIntel),
            smt: Some(true),
            allowed: Some("0-3".parse().unwrap()),
            throttled: Some(12),
            ..Cpus::default()
        },
        memory: Memory {
            swap_used_bytes: Some(5 << 20),
            huge_pages: Some("always".into()),
            huge_pages_defrag: Some("madvise".into()),
            same_page_merging: Some(true),
            address_randomisation: Some(0),
            ..Memory::default()
        },
        before: Some(Activity {
            others_cpus: Some(100.0),
            loudest,
            stolen: Some(0.035),
            swapped_pages: Some(17),
            ..Activity::default()
        }),
        ..quiet()
    }
}

#[test]
fn a_quiet_host_has_no_warning_and_nothing_to_tune() {
    assert_eq!(warnings(&quiet()), []);
    assert_eq!(tune::lines(&quiet()).len(), 1);
}

#[test]
fn what_could_not_be_read_is_no_warning() {
    assert_eq!(warnings(&Host::default()), []);
}

#[test]
fn every_warning_has_its_text_and_its_mend() {
    let all: Vec<String> = warnings(&loud()).iter().map(HostWarning::sentence).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn what_to_type_and_how_to_take_it_back() {
    insta::assert_snapshot!(tune::lines(&loud()).join("\n"));
}

#[test]
fn boost_is_switched_where_it_is() {
    let step = HostWarning::Turbo(Turbo::OnBoost).step().unwrap();
    assert_eq!(step.command, "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost");
}

#[test]
fn one_governor_comes_back_in_one_line() {
    let governors = governors(&[("powersave", "0-7")]).unwrap();
    let step = HostWarning::Governor { governors }.step().unwrap();
    let undo = "echo powersave | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor";
    assert_eq!(step.undo, undo);
}
