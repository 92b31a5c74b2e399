//! Images from recipes, against a real engine.

use std::{collections::BTreeMap, path::Path, sync::Mutex};

use squall_docker::{
    Docker,
    images::{self, Image, ImageError, ImageEvent, Origin, Recipe, Wanted, WithoutRegistry, ensure},
};

use crate::support::{engine, remove_image, unique};

/// A root with a program to copy, and a Dockerfile whose base image no registry has.
fn root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(root.path().join(name), text).unwrap();
    write("Dockerfile", "FROM squall-test.invalid/nothing:1 AS build\nFROM scratch\nCOPY --from=build /x /x\n");
    write("Dockerfile.static", "FROM scratch\nARG FILE\nCOPY built/${FILE} /program\n");
    root
}

fn recipe(name: &str) -> Recipe {
    let build = ["sh", "-c", "mkdir -p built && echo building && echo 1 >> built/count && echo program > built/it"];
    Recipe {
        name: name.to_owned(),
        dockerfile: "Dockerfile".into(),
        args: BTreeMap::new(),
        without_registry: Some(WithoutRegistry {
            build: Some(build.map(str::to_owned).into()),
            dockerfile: "Dockerfile.static".into(),
            args: [("FILE".to_owned(), "it".to_owned())].into(),
        }),
    }
}

async fn make(docker: &Docker, recipe: &Recipe, root: &Path) -> (Result<Image, ImageError>, Vec<ImageEvent>) {
    let events = Mutex::new(Vec::new());
    let tell = |event| events.lock().unwrap().push(event);
    let made = ensure(docker, &Wanted::Build(recipe.clone()), root, &tell).await;
    (made, events.into_inner().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_registry_an_image_is_built_from_what_is_compiled_here_and_only_once() {
    let Some(docker) = engine().await else { return };
    let (root, recipe) = (root(), recipe(&unique("local")));

    let (made, events) = make(&docker, &recipe, root.path()).await;
    let made = made.unwrap();
    assert!(made.fresh && made.origin == Origin::BuiltLocally, "{made:?}");
    let noted =
        |part: &str| events.iter().any(|event| matches!(event, ImageEvent::Note { text, .. } if text.contains(part)));
    assert!(noted("`squall-test.invalid/nothing:1` cannot be pulled"), "{events:?}");
    assert!(events.iter().any(|event| matches!(event, ImageEvent::Line { line, .. } if line == "building")));

    // Side by side and again: found, and neither the command nor the build is repeated.
    let (again, other) = tokio::join!(make(&docker, &recipe, root.path()), make(&docker, &recipe, root.path()));
    for (again, _) in [again, other] {
        assert_eq!(again.unwrap(), Image { fresh: false, ..made.clone() });
    }
    assert_eq!(std::fs::read_to_string(root.path().join("built/count")).unwrap(), "1\n");

    // What it is made from changes: so does its name.
    std::fs::write(root.path().join("built/it"), "another program").unwrap();
    let (changed, _) = make(&docker, &recipe, root.path()).await;
    let changed = changed.unwrap();
    assert!(changed.fresh && changed.reference != made.reference, "{changed:?}");
    remove_image(&docker, &made.reference).await;
    remove_image(&docker, &changed.reference).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_build_one_image() {
    let Some(docker) = engine().await else { return };
    let (root, recipe) = (root(), recipe(&unique("at-once")));
    let (a, b) = tokio::join!(make(&docker, &recipe, root.path()), make(&docker, &recipe, root.path()));
    let (a, b) = (a.0.unwrap(), b.0.unwrap());
    assert_eq!(a.reference, b.reference);
    assert_ne!(a.fresh, b.fresh, "one of them built it");
    remove_image(&docker, &a.reference).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_says_what_to_do() {
    let Some(docker) = engine().await else { return };
    let root = root();
    let refused = async |recipe: &Recipe, parts: &[&str]| {
        let why = make(&docker, recipe, root.path()).await.0.unwrap_err().to_string();
        for part in parts {
            assert!(why.contains(part), "`{part}` is not in: {why}");
        }
    };
    let whole = recipe(&unique("refused"));
    let local = |change: &dyn Fn(&mut WithoutRegistry)| {
        let mut recipe = whole.clone();
        recipe.without_registry.iter_mut().for_each(change);
        recipe
    };
    refused(
        &Recipe { without_registry: None, ..whole.clone() },
        &["`squall-test.invalid/nothing:1`", "could not be pulled", "`without_registry`"],
    )
    .await;
    refused(&Recipe { dockerfile: "None".into(), ..whole.clone() }, &["None`, which cannot be read"]).await;
    let fails = ["sh", "-c", "echo the reason >&2; exit 3"].map(str::to_owned);
    refused(&local(&|local| local.build = Some(fails.to_vec())), &["exit status: 3", "the reason"]).await;
    let absent = vec!["squall-no-such-program".to_owned()];
    refused(&local(&|local| local.build = Some(absent.clone())), &["is `squall-no-such-program` installed?"]).await;
    refused(
        &local(&|local| _ = local.args.insert("FILE".to_owned(), "other".to_owned())),
        &["it copies `built/other`", "`.dockerignore`"],
    )
    .await;
    let rewrite = |text: &str| std::fs::write(root.path().join("Dockerfile.static"), text).unwrap();
    rewrite("FROM scratch\nRUN [\"/it\"]\n");
    refused(&whole, &["could not be built from `Dockerfile.static`", "RUN [\"/it\"]", "the end of the build's output"])
        .await;
    rewrite("FROM scratch\nCOPPY a b\n");
    refused(&whole, &["Dockerfile.static`, line 2: `COPPY` is no instruction"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_others_is_found_or_its_absence_explained() {
    let Some(docker) = engine().await else { return };
    let missing = Wanted::Image("squall-test.invalid/other:1".to_owned());
    let why = ensure(&docker, &missing, Path::new("."), &|_| {}).await.unwrap_err().to_string();
    assert!(why.contains("`squall-test.invalid/other:1`") && why.contains("`docker pull`"), "{why}");
    assert_eq!(why.lines().count(), 1, "one paragraph: {why}");

    let there = crate::support::tiny_image(&docker).await;
    let found = ensure(&docker, &Wanted::Image(there.clone()), Path::new("."), &|_| {}).await.unwrap();
    assert_eq!(found, images::Image { reference: there.clone(), origin: Origin::Others, fresh: false });
    remove_image(&docker, &there).await;
}
