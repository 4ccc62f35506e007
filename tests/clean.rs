//! What a killed run has left is removed; everything else stays. With a real engine and real processes.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    CreateContainerOptions, CreateImageOptions, RemoveContainerOptions, RemoveImageOptions,
};
use futures_util::StreamExt as _;
use isocost::run::clean::clean;
use isocost::run::state::runs_folder;

#[path = "support/skip.rs"]
mod skip;

use skip::skip;

const ENGINE: &str = "unix:///var/run/docker.sock";

/// The state that `kill -9` leaves: a lock that nobody holds, and a scratch folder.
fn killed_run(cache: &Path, id: &str, engine: &str) {
    let runs = runs_folder(cache);
    std::fs::create_dir_all(runs.join(id).join("vm-1")).unwrap();
    std::fs::write(runs.join(format!("{id}.lock")), engine).unwrap();
}

fn process(id: &str) -> Child {
    Command::new("cat").env("ISOCOST_RUN", id).stdin(Stdio::piped()).spawn().unwrap()
}

async fn image(docker: &Docker, id: &str) -> String {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(id.len() as u64);
    header.set_cksum();
    tar.append_data(&mut header, "id", id.as_bytes()).unwrap();
    let body = bollard::body_full(tar.into_inner().unwrap().into());
    let options = CreateImageOptions {
        from_src: Some("-".into()),
        repo: Some(format!("isocost-test-{id}")),
        changes: vec![format!("LABEL isocost.run={id}")],
        ..Default::default()
    };
    let mut made = docker.create_image(Some(options), Some(body), None);
    while let Some(line) = made.next().await {
        line.unwrap();
    }
    format!("isocost-test-{id}")
}

async fn container(docker: &Docker, image: &str, id: &str) -> String {
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        cmd: Some(vec!["/none".into()]),
        labels: Some(HashMap::from([("isocost.run".to_owned(), id.to_owned())])),
        ..Default::default()
    };
    docker.create_container(None::<CreateContainerOptions>, body).await.unwrap().id
}

fn is_gone<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::DockerResponseServerError { status_code: 404, .. }))
}

#[test]
fn only_what_is_the_runs_own_goes() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let docker = match Docker::connect_with_host(ENGINE) {
            Ok(docker) => docker.negotiate_version().await,
            Err(error) => Err(error),
        };
        let Ok(docker) = docker else { return skip("only_what_is_the_runs_own_goes", "no Docker engine") };
        let cache = tempfile::tempdir().unwrap();
        let (ours, other) = (format!("t-{}", std::process::id()), format!("t-{}-other", std::process::id()));
        killed_run(cache.path(), &ours, ENGINE);
        let (our_image, other_image) = (image(&docker, &ours).await, image(&docker, &other).await);
        let our_container = container(&docker, &our_image, &ours).await;
        let other_container = container(&docker, &other_image, &other).await;
        let (mut our_process, mut decoy) = (process(&ours), process(&other));

        // The clean-up has a runtime of its own, which may not run inside this one.
        let folder = cache.path().to_owned();
        let cleaned = std::thread::spawn(move || clean(&folder).unwrap()).join().unwrap();

        assert_eq!(cleaned.len(), 1);
        assert!(cleaned[0].left.is_empty(), "{cleaned:?}");
        assert_eq!(cleaned[0].removed.len(), 4, "{cleaned:?}");
        assert!(is_gone(docker.inspect_container(&our_container, None).await));
        assert!(is_gone(docker.inspect_image(&our_image).await));
        assert!(our_process.try_wait().unwrap().is_some());
        assert_eq!(std::fs::read_dir(runs_folder(cache.path())).unwrap().count(), 0);

        assert!(docker.inspect_container(&other_container, None).await.is_ok());
        assert!(docker.inspect_image(&other_image).await.is_ok());
        assert!(decoy.try_wait().unwrap().is_none());
        decoy.kill().unwrap();
        decoy.wait().unwrap();
        docker.remove_container(&other_container, None::<RemoveContainerOptions>).await.unwrap();
        docker.remove_image(&other_image, None::<RemoveImageOptions>, None).await.unwrap();
    });
}

#[test]
fn an_engine_that_does_not_answer_keeps_the_run_for_later() {
    let cache = tempfile::tempdir().unwrap();
    killed_run(cache.path(), "r-1", "unix:///nonexistent/docker.sock");
    for _ in 0..2 {
        let cleaned = clean(cache.path()).unwrap();
        assert_eq!((cleaned[0].removed.len(), cleaned[0].left.len()), (0, 1));
        assert!(cleaned[0].sentence().contains("isocost.run=r-1"));
    }
    assert!(runs_folder(cache.path()).join("r-1.lock").exists());
}

#[test]
fn a_damaged_state_file_is_named_and_cannot_steer_a_terminal() {
    let cache = tempfile::tempdir().unwrap();
    let lock = runs_folder(cache.path()).join("t-damaged.lock");
    for garbage in [&b"garbage\nof several\nlines"[..], b"unix://\x1b[2J", b"\xff\xfe", &[b'x'; 1 << 16]] {
        killed_run(cache.path(), "t-damaged", "");
        std::fs::write(&lock, garbage).unwrap();
        let cleaned = clean(cache.path()).unwrap();
        assert_eq!(cleaned[0].left.len(), 1, "{cleaned:?}");
        let said = &cleaned[0].left[0];
        assert!(said.contains(lock.to_str().unwrap()) && !said.contains(char::is_control), "{said:?}");
    }
    std::fs::remove_file(lock).unwrap();
    assert!(clean(cache.path()).unwrap().is_empty());
}
