//! What the tests against a real engine share.

use std::{
    io::Write,
    sync::atomic::{AtomicU32, Ordering},
};

use bollard::{
    body_full,
    query_parameters::{CreateImageOptions, RemoveImageOptions},
};
use futures_util::TryStreamExt;
use squall_docker::Docker;

/// The engine of this machine. `None`, with the reason on the screen, if there is none.
pub(crate) async fn engine() -> Option<Docker> {
    match Docker::connect().await {
        Ok(docker) => Some(docker),
        Err(why) if std::env::var_os("SQUALL_REQUIRE_CONTAINERS").is_some_and(|set| set == "1") => panic!("{why}"),
        Err(why) => {
            say(format!("skipped: {why}"));
            None
        }
    }
}

/// Says something past the capture of a test's output: whoever looks sees it.
pub(crate) fn say(line: String) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A name that no other test has.
pub(crate) fn unique(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("squall-test-{what}-{}-{count}", std::process::id())
}

/// Removes an image that a test made.
pub(crate) async fn remove_image(docker: &Docker, reference: &str) {
    docker.client().remove_image(reference, None::<RemoveImageOptions>, None).await.unwrap();
}

/// An image with next to nothing in it, for containers that are never started: one for each test.
pub(crate) async fn tiny_image(docker: &Docker) -> String {
    let name = unique("empty");
    let mut layer = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(0);
    header.set_mode(0o644);
    header.set_cksum();
    layer.append_data(&mut header, "empty", std::io::empty()).unwrap();
    let options = CreateImageOptions {
        from_src: Some("-".to_owned()),
        repo: Some(name.clone()),
        tag: Some("1".to_owned()),
        ..Default::default()
    };
    let layer = body_full(layer.into_inner().unwrap().into());
    let made: Vec<_> = docker.client().create_image(Some(options), Some(layer), None).try_collect().await.unwrap();
    assert!(!made.is_empty());
    format!("{name}:1")
}
