//! Are the times of a container's start true? Each held against a clock that is not ours. docs/accuracy.md has the
//! figures of a quiet host.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::EventsOptions;
use futures_util::StreamExt as _;
use isocost::environment::docker::{DockerEnvironment, address};
use isocost::environment::{Environment, Instance};
use isocost::suite::DockerSpec;

#[path = "support/own_engine.rs"]
mod own_engine;
#[path = "support/scene.rs"]
mod scene;
#[path = "support/skip.rs"]
mod skip;
#[path = "support/strace.rs"]
mod strace;
#[path = "support/tracepoints.rs"]
mod tracepoints;

use skip::skip;

use own_engine::OwnEngine;
use scene::{Scene, boot};
use strace::{Call, Strace, is};
use tracepoints::{Event, Trace};

/// Starts of which the median is held against the other clock.
const STARTS: usize = 9;

/// One at a time: starts that are observed side by side disturb each other.
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Within 1 %, or 2 ms.
fn agrees(what: &str, pairs: &[(u64, u64)]) {
    let ms = |ns: f64| ns / 1e6;
    let mut apart: Vec<f64> = pairs.iter().map(|(ours, theirs)| *ours as f64 - *theirs as f64).collect();
    let mut theirs: Vec<f64> = pairs.iter().map(|(_, theirs)| *theirs as f64).collect();
    apart.sort_by(f64::total_cmp);
    theirs.sort_by(f64::total_cmp);
    let (middle, whole) = (apart[apart.len() / 2], theirs[theirs.len() / 2]);
    let (least, most) = (apart[0], apart[apart.len() - 1]);
    println!(
        "{what}: median {:.3} ms by the other clock; ours is {:+.3} ms from it in the median, {:+.3} to {:+.3} ms of {} starts",
        ms(whole),
        ms(middle),
        ms(least),
        ms(most),
        pairs.len()
    );
    assert!(middle.abs() <= (whole / 100.0).max(2e6), "{what} is {:.3} ms off", ms(middle));
}

fn environment(address: &str, scene: &Scene) -> Result<DockerEnvironment, String> {
    let spec = DockerSpec { runtime: "runc".into(), network: false };
    let mut docker = DockerEnvironment::at(address, "docker", &spec, scene.context.clone());
    docker.prepare().map(|_| docker).map_err(|error| error.to_string())
}

/// Nanoseconds from asking to the end of the part called `name`.
fn until_end_of(instance: &dyn Instance, name: &str) -> u64 {
    let span = instance.start();
    span.children.iter().find(|part| part.name == name).unwrap().end.0 - span.start.0
}

/// The kernel's stamps of one start: the create call's connection was asked for, the agent's exec was done, its Hello
/// was on its way.
fn traced(events: &[Event], agent: u32, asked: u64) -> (u64, u64, u64) {
    let own: Vec<u32> = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect();
    // The first call of ours that is not before the request; a tracepoint's stamp is cut to microseconds.
    let create = events.iter().find(|event| {
        event.what.starts_with("sys_connect") && own.contains(&event.thread) && event.at_ns + 1000 >= asked
    });
    let mut of_agent = events.iter().filter(|event| event.thread == agent);
    let exec = of_agent.find(|event| event.what.starts_with("sched_process_exec")).unwrap();
    of_agent.find(|event| event.what.starts_with("sys_connect")).unwrap();
    let hello =
        of_agent.find(|event| ["sys_write", "sys_sendto"].iter().any(|call| event.what.starts_with(call)));
    (create.unwrap().at_ns, exec.at_ns, hello.unwrap().at_ns)
}

#[test]
fn a_containers_start_is_what_the_kernels_tracepoints_say() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let test = "a_containers_start_is_what_the_kernels_tracepoints_say";
    let scene = Scene::new("trace");
    let mut docker = match environment(&address(), &scene) {
        Ok(docker) => docker,
        Err(why) => return skip(test, why),
    };
    let ours_or_agents = r#"comm == "agent" || comm ~ "container eng*""#;
    let events = [
        ("sched/sched_process_exec", r#"filename == "/agent""#),
        ("syscalls/sys_enter_connect", ours_or_agents),
        ("syscalls/sys_enter_write", r#"comm == "agent""#),
        ("syscalls/sys_enter_sendto", r#"comm == "agent""#),
    ];
    let trace = match Trace::start("accuracy", &events) {
        Ok(trace) => trace,
        Err(why) => return skip(test, why),
    };
    let (mut first, mut ready) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let instance = boot(&mut docker);
        let ours = (until_end_of(&*instance, "engine"), instance.start().ns());
        let theirs = traced(&trace.read(), instance.accounts().instance.roots[0], instance.start().start.0);
        first.push((ours.0, theirs.1 - theirs.0));
        ready.push((ours.1, theirs.2 - theirs.0));
        instance.stop().unwrap();
    }
    agrees("startup.to-first-instruction", &first);
    agrees("startup.ready", &ready);
}

/// What strace saw of one start: the engine read the create call, the agent's execve returned, its Hello was
/// written.
struct Seen {
    asked: u64,
    first: u64,
    hello: u64,
}

fn seen(calls: &[Call], container: &str) -> Seen {
    let create = format!("/containers/create?name={container}&");
    let asked = calls.iter().position(|call| call.text.contains(&create)).unwrap();
    let exec = calls[asked..].iter().find(|call| call.text.contains(r#"execve("/agent""#)).unwrap();
    let mut agent = calls[asked..].iter().filter(|call| call.pid == exec.pid && call.at_ns >= exec.at_ns);
    let first = agent.find(|call| is(call, "execve") && call.text.contains("= 0")).unwrap();
    let connected = agent.find(|call| is(call, "connect") && call.text.contains("/isocost/agent")).unwrap();
    let hello = agent.find(|call| (is(call, "write") || is(call, "sendto")) && call.at_ns >= connected.at_ns);
    Seen { asked: calls[asked].at_ns, first: first.returned_ns(), hello: hello.unwrap().at_ns }
}

#[test]
fn a_containers_start_is_what_strace_saw() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let test = "a_containers_start_is_what_strace_saw";
    let engine = match OwnEngine::start() {
        Ok(engine) => engine,
        Err(why) => return skip(test, why),
    };
    let scene = Scene::new("strace");
    let mut docker = environment(&engine.address(), &scene).unwrap();
    let warm = boot(&mut docker);
    let daemons = warm.accounts().standing.roots;
    warm.stop().unwrap();
    let strace = match Strace::attach(&daemons, "execve,connect,read,write,sendto") {
        Ok(strace) => strace,
        Err(why) => return skip(test, why),
    };
    let mut ours = Vec::new();
    for _ in 0..STARTS {
        let instance = boot(&mut docker);
        ours.push((until_end_of(&*instance, "engine"), instance.start().ns()));
        instance.stop().unwrap();
    }
    let calls = strace.finish();
    let name = |index: usize| format!("isocost-{}-docker-{}", scene.context.run_id, index + 2);
    let theirs: Vec<Seen> = (0..STARTS).map(|index| seen(&calls, &name(index))).collect();
    let pairs = |of: fn(&(u64, u64), &Seen) -> (u64, u64)| -> Vec<(u64, u64)> {
        ours.iter().zip(&theirs).map(|(ours, theirs)| of(ours, theirs)).collect()
    };
    agrees("startup.to-first-instruction", &pairs(|ours, seen| (ours.0, seen.first - seen.asked)));
    agrees("startup.ready", &pairs(|ours, seen| (ours.1, seen.hello - seen.asked)));
}

/// The engine's own record of one container: create and start, nanoseconds of its clock.
async fn events(docker: &Docker, since: i64, until: i64) -> Vec<(String, String, i64)> {
    let options = EventsOptions {
        since: Some(since.to_string()),
        until: Some(until.to_string()),
        ..Default::default()
    };
    let mut all = docker.events(Some(options));
    let mut found = Vec::new();
    while let Some(event) = all.next().await {
        let event = event.unwrap();
        let name = event.actor.and_then(|actor| actor.attributes?.get("name").cloned());
        if let (Some(name), Some(action), Some(at)) = (name, event.action, event.time_nano) {
            found.push((name, action, at));
        }
    }
    found
}

#[test]
fn a_containers_start_is_what_the_engines_events_say() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let test = "a_containers_start_is_what_the_engines_events_say";
    let scene = Scene::new("events");
    let mut docker = match environment(&address(), &scene) {
        Ok(docker) => docker,
        Err(why) => return skip(test, why),
    };
    let since = jiff::Timestamp::now().as_second() - 1;
    let mut ours = Vec::new();
    for _ in 0..STARTS {
        let instance = boot(&mut docker);
        let created = instance.start().children[0].end;
        ours.push(instance.marks()[0].1.since(created));
        instance.stop().unwrap();
    }
    let until = jiff::Timestamp::now().as_second() + 1;
    std::thread::sleep(Duration::from_secs(1));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found = runtime.block_on(async {
        let docker = Docker::connect_with_host(&address()).unwrap().negotiate_version().await.unwrap();
        events(&docker, since, until).await
    });
    let pairs = ours.iter().enumerate().map(|(index, ours)| {
        let name = format!("isocost-{}-docker-{}", scene.context.run_id, index + 1);
        let at = |action: &str| found.iter().find(|(of, what, _)| *of == name && what == action).unwrap().2;
        (u64::try_from(ours.as_nanos()).unwrap(), u64::try_from(at("start") - at("create")).unwrap())
    });
    agrees("the start call, from the create call's return to its own", &pairs.collect::<Vec<_>>());
}
