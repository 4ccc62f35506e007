#![allow(clippy::unwrap_used)]

use std::time::Duration;

use isocost_agent::protocol::Workload;
use proptest::prelude::*;

use super::*;
use crate::suite::{
    AcceleratorChoice, DiskFormat, KernelChoice, KindSpec, Machine, QemuSpec, WORKLOADS, warnings,
};

const HEAD: &str = "schema = 1\n[limits]\ncpus = 2\nmemory = \"256MiB\"\n";
const NATIVE: &str = "[[environment]]\nid = \"native\"\nkind = \"native\"\n";
const WORK: &str = "[[workload]]\nid = \"cpu-integer\"\nduration = \"80ms\"\n";

fn read(text: &str) -> Suite {
    parse(text, "dir/mine.toml").unwrap()
}

fn refused(text: &str) -> String {
    parse(text, "mine.toml").unwrap_err().to_string()
}

/// A suite with this after the head, and a native environment.
fn refused_with(more: &str) -> String {
    refused(&format!("{HEAD}{NATIVE}{more}"))
}

#[test]
fn defaults_are_filled_in() {
    let suite = read(&format!("{HEAD}{NATIVE}[[environment]]\nid = \"vm\"\nkind = \"qemu\"\n{WORK}"));
    assert_eq!((suite.name.as_str(), suite.limits.memory_bytes), ("mine", 256 << 20));
    assert_eq!((suite.blocks.count, suite.blocks.warm_up, suite.blocks.cold), (10, 1, 1));
    assert_eq!(suite.deadlines.start, Duration::from_secs(60));
    let spec = QemuSpec {
        machine: Machine::Microvm,
        accelerator: AcceleratorChoice::Auto,
        kernel: KernelChoice::Debian(None),
        disk: DiskFormat::Qcow2,
    };
    assert_eq!(suite.environments[1].kind, KindSpec::Qemu(spec));
    assert_eq!(suite.workloads[0].run, Workload::CpuInteger);
}

#[test]
fn filters_are_spelt_out_in_the_suites_order() {
    let text = format!(
        "{HEAD}[[environment]]\nid = \"a\"\nkind = \"native\"\nworkloads = [\"*-b\", \"x*\"]\n\
         [[workload]]\nid = \"x-b\"\nrun = \"syscall\"\nduration = \"1ms\"\n\
         [[workload]]\nid = \"y\"\nrun = \"syscall\"\nduration = \"1ms\"\n\
         [[workload]]\nid = \"x\"\nrun = \"syscall\"\nduration = \"1ms\"\n"
    );
    assert_eq!(read(&text).environments[0].workloads.as_deref().unwrap(), ["x-b", "x"]);
}

#[test]
fn paths_are_relative_to_the_file() {
    let vm = "[[environment]]\nid = \"vm\"\nkind = \"qemu\"\nkernel = \"images/bzImage\"\n";
    let suite = read(&format!("{HEAD}{NATIVE}{vm}"));
    let KindSpec::Qemu(spec) = &suite.environments[1].kind else { panic!("{suite:?}") };
    assert_eq!(spec.kernel, KernelChoice::Path("dir/images/bzImage".into()));
}

#[test]
fn slips_are_named_with_their_place_and_what_was_meant() {
    let text = refused("schema = 1\n[limits]\ncpu = 2\nmemory = \"1GiB\"\n");
    assert!(text.starts_with("mine.toml:3:1: unknown key `cpu`"), "{text}");
    assert!(text.ends_with("did you mean `cpus`?") && text.contains("`memory`"), "{text}");
    let text = refused_with("[[workload]]\nid = \"a\"\nrun = \"disk-wirte\"\nbytes = \"1MiB\"\n");
    assert!(text.starts_with("mine.toml:10:7: workload.run is `disk-wirte`"), "{text}");
    assert!(text.contains("did you mean `disk-write`?") && text.contains("context-switch"), "{text}");
    let text = refused_with("[[environment]]\nid = \"v\"\nkind = \"qemu\"\nmachine = \"q53\"\n");
    assert!(text.starts_with("mine.toml:11:11: unknown value `q53`") && text.contains("`q35`"), "{text}");
    let text = refused_with("[[environment]]\nid = \"d\"\nkind = \"docker\"\ndisk = \"raw\"\n");
    assert!(text.starts_with("mine.toml:11:8: environment.disk does not belong to kind docker"), "{text}");
    assert!(text.contains("id, kind, workloads, slower, runtime, network"), "{text}");
}

#[test]
fn impossible_values_are_refused_with_what_is_allowed() {
    let cases = [
        ("cpus = 0", "mine.toml:3:8: limits.cpus is 0; it is a whole number from 1"),
        ("cpus = -1", "mine.toml:3:8: invalid value: integer `-1`"),
        ("cpus = 2.5", "mine.toml:3:8: invalid type: floating point `2.5`"),
        ("cpus = 9999999", "limits.cpus is 9999999"),
        ("memory = \"1B\"", "limits.memory is 1B; it is from 64MiB"),
        ("memory = \"65537KiB\"", "a virtual machine has whole MiB"),
        ("memory = \"256MB\"", "powers of 1024"),
        ("memory = 256", "invalid type: integer `256`"),
    ];
    for (line, expected) in cases {
        let key = line.split(' ').next().unwrap();
        let usual = if key == "cpus" { "cpus = 2" } else { "memory = \"256MiB\"" };
        let text = refused(&format!("{}{NATIVE}", HEAD.replace(usual, line)));
        assert!(text.contains(expected), "{line}: {text}");
    }
    let cases = [
        ("[blocks]\ncount = 0\n", "mine.toml:9:9: blocks.count is 0"),
        ("[blocks]\ncount = 1000000\n", "blocks.count is 1000000; it is a whole number from 1 to 10000"),
        ("[blocks]\ncold = 4294967295\n", "blocks.cold is 4294967295; it is at most 10000"),
        ("[deadlines]\nstart = \"0s\"\n", "deadlines.start is 0ms"),
        ("[deadlines]\nwork = \"25h\"\n", "deadlines.work is 25h; it is from 1ms to 24h"),
        ("[[workload]]\nid = \"syscall\"\n", "workload.duration of syscall is missing or zero"),
        ("[[workload]]\nid = \"syscall\"\nduration = \"2h\"\n", "of syscall is 2h; at most 1h"),
        ("[[workload]]\nid = \"disk-write\"\nbytes = \"4KiB\"\n", "is 4KiB; a file is from 1MiB to 2GiB"),
        ("[[workload]]\nid = \"disk-read\"\nbytes = \"1025KiB\"\n", "a file has whole MiB"),
        ("[[workload]]\nid = \"syscall\"\nduration = \"1s\"\nbytes = \"1MiB\"\n", "syscall is neither"),
        ("[[workload]]\nid = \"syscall\"\nduration = \"1s\"\ndirect = true\n", "is for work on the disk"),
        ("[[workload]]\nid = \"syscall\"\nduration = \"1s\"\nthreads = 2\n", "is for the work `threads`"),
        (
            "[[workload]]\nid = \"threads\"\nduration = \"1s\"\nthreads = 3\n",
            "from 1 to limits.cpus, which is 2",
        ),
        (
            "[[workload]]\nid = \"memory-latency\"\nduration = \"1s\"\nbytes = \"1GiB\"\n",
            "a quarter of limits.memory",
        ),
        ("[[workload]]\nid = \"idle\"\nrun = \"syscall\"\nduration = \"1s\"\n", "is taken"),
        ("[[workload]]\nid = \"A b\"\nrun = \"syscall\"\nduration = \"1s\"\n", "lower-case letters"),
        ("[[environment]]\nid = \"d\"\nkind = \"docker\"\nruntime = \"a b\"\n", "no name a runtime can have"),
        ("[[environment]]\nid = \"v\"\nkind = \"qemu\"\nkernel = \"debian:\"\n", "`debian:VERSION`"),
        (
            "[[environment]]\nid = \"v\"\nkind = \"qemu\"\nworkloads = [\"disk*\"]\n",
            "names `disk*`, which no workload",
        ),
    ];
    for (more, expected) in cases {
        let text = refused_with(more);
        assert!(text.contains(expected), "{more}: {text}");
    }
}

#[test]
fn doubles_and_absences_are_refused() {
    assert!(refused_with(NATIVE).contains("mine.toml:9:6: environment.id is `native` a second time"));
    assert!(refused_with(&WORK.repeat(2)).contains("workload.id is `cpu-integer` a second time"));
    assert!(refused(HEAD).contains("environment is there 0 times"));
    assert!(refused("").contains("missing key `schema`"));
    assert!(refused(&HEAD.replace('1', "2")).contains("schema is 2, this version of isocost reads 1"));
    assert!(refused("schema = 1\nschema = 1\n").contains("duplicate key"));
}

#[test]
fn what_may_be_done_and_should_be_known_is_a_warning() {
    let text = format!("{HEAD}[blocks]\ncount = 5\n[[environment]]\nid = \"d\"\nkind = \"docker\"\n");
    let found = warnings(&read(&text));
    assert!(found.len() == 2 && found[0].contains("native") && found[1].contains("5 blocks"), "{found:?}");
}

#[test]
fn names_lead_to_built_in_suites_and_paths_to_files() {
    assert_eq!(load("quick").unwrap().name, "quick");
    let text = load("quik").unwrap_err().to_string();
    assert!(text.contains("did you mean `quick`?") && text.contains("./quik.toml"), "{text}");
    assert!(
        load("./nonexistent.toml")
            .unwrap_err()
            .to_string()
            .contains("cannot read the suite ./nonexistent.toml")
    );
    assert!(load("/").unwrap_err().to_string().contains("directory"));
}

#[test]
fn junk_is_refused_quickly() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("junk.toml");
    let loaded = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        load(path.to_str().unwrap()).unwrap_err().to_string()
    };
    assert!(loaded(b"schema = 1\n\xff\xfe\0").contains("junk.toml:2:1: this is not text"));
    assert!(loaded(&vec![b'#'; 10 << 20]).contains("is larger than 1048576 bytes"));
    let deep = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(loaded(deep.as_bytes()).contains("junk.toml:1:"), "{}", loaded(deep.as_bytes()));
    let dotted = format!("a{} = 1", ".a".repeat(100_000));
    assert!(loaded(dotted.as_bytes()).contains("junk.toml"));
    assert!(loaded(b"\0\0\0\0").contains("junk.toml:1:"));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text: String) {
        let _ = parse(&text, "f.toml");
    }

    #[test]
    fn no_change_of_a_good_suite_makes_it_panic(at in 0usize..4000, byte: u8) {
        let mut bytes = crate::suite::built_in()["quick"].as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let _ = parse(text, "f.toml");
        }
    }
}

/// docs/suites.md has every key that a suite may have, and its example is a suite.
#[test]
fn the_docs_have_every_key_and_a_good_example() {
    let docs = include_str!("../../docs/suites.md");
    let example = docs.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let suite = parse(example, "docs/suites.toml").unwrap();
    assert_eq!(warnings(&suite), Vec::<String>::new());
    let declared = include_str!("raw.rs").split("pub(super) struct").skip(1);
    let fields = declared.flat_map(|text| text.split('}').next().unwrap().lines());
    let keys = fields.filter_map(|line| line.trim().strip_prefix("pub ")?.split(':').next());
    let keys: Vec<&str> = keys.collect();
    assert!(keys.len() > 25, "{keys:?}");
    for key in keys {
        // These two are tables, named in the singular.
        let is_there = match key {
            "limits" | "blocks" | "deadlines" | "gate" => docs.contains(&format!("## `[{key}]`")),
            "environments" => docs.contains("## `[[environment]]`"),
            "workloads" if docs.contains("## `[[workload]]`") => docs.contains("| `workloads` |"),
            key => docs.contains(&format!("| `{key}` |")),
        };
        assert!(is_there, "docs/suites.md lacks {key}");
    }
    for (name, _) in WORKLOADS {
        assert!(docs.contains(&format!("`{name}`")), "{name}");
    }
}
