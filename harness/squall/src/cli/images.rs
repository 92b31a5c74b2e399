//! `squall images`: what the container backend needs, made beforehand.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::join_all;
use squall_docker::{
    Docker,
    images::{self, Image, ImageEvent, Origin, Pruned, Wanted},
};

use super::{
    args::Images,
    exit::Exit,
    progress::{Screen, Watch, seconds},
    show,
};
use crate::{files, play::Subject};

pub(super) fn images(args: &Images) -> Exit {
    let screen = Screen::new(false);
    let done = wanted(args, &screen).and_then(|wanted| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|why| failed(&screen, &why.to_string()))?;
        runtime.block_on(make_all(args, &wanted, &screen))
    });
    done.map_or_else(|exit| exit, |()| Exit::Held)
}

/// What all systems of the scenarios need, each image once.
fn wanted(args: &Images, screen: &Screen) -> Result<Vec<(PathBuf, Wanted)>, Exit> {
    let mistake = |why: String| {
        screen.tell(&format!("error: {why}"));
        Exit::Mistake
    };
    let mut all = Vec::new();
    let mut mistaken = false;
    for path in files::scenarios(&args.paths).map_err(|why| mistake(why.to_string()))? {
        let subject = match Subject::read(&path) {
            Ok(subject) => subject,
            Err(why) => {
                mistaken = true;
                let _ = show(&why, &mut io::stderr());
                continue;
            }
        };
        let wanted = squall_engine::images_wanted_by(&subject.loaded.system).map_err(mistake)?;
        for wanted in wanted {
            let wanted = (subject.root(), wanted);
            if !all.contains(&wanted) {
                all.push(wanted);
            }
        }
    }
    if mistaken { Err(Exit::Mistake) } else { Ok(all) }
}

fn failed(screen: &Screen, why: &str) -> Exit {
    screen.tell(&format!("error: {why}"));
    Exit::Environment
}

async fn make_all(args: &Images, wanted: &[(PathBuf, Wanted)], screen: &Screen) -> Result<(), Exit> {
    let docker = Docker::connect().await.map_err(|why| failed(screen, &why.to_string()))?;
    let lines = Lines { screen: screen.clone(), watches: Mutex::default() };
    let tell = |event| lines.tell(event);
    let made = join_all(wanted.iter().map(|(root, wanted)| images::ensure(&docker, wanted, root, &tell))).await;
    lines.end();
    let mut references = Vec::new();
    let mut exit = None;
    for made in made {
        match made {
            Ok(image) => {
                let size = images::size(&docker, &image.reference).await;
                let size = size.map_err(|why| failed(screen, &why.to_string()))?;
                screen.print(&row(&image, size));
                references.push(image.reference);
            }
            // Images that fail for one reason say it once.
            Err(why) => exit = Some(failed(screen, &why.to_string())),
        }
    }
    if let Some(exit) = exit {
        return Err(exit);
    }
    if args.prune {
        let pruned = images::prune(&docker, &references).await;
        let pruned = pruned.map_err(|why| failed(screen, &why.to_string()))?;
        screen.print(&summary(&pruned));
    }
    Ok(())
}

/// A live line for each image.
struct Lines {
    screen: Screen,
    watches: Mutex<BTreeMap<String, Arc<Watch>>>,
}

impl Lines {
    fn of(&self, image: &str) -> Arc<Watch> {
        let mut watches = self.watches.lock().expect("no holder of this lock panics");
        Arc::clone(watches.entry(image.to_owned()).or_insert_with(|| self.screen.watch(image)))
    }

    fn tell(&self, event: ImageEvent) {
        match event {
            ImageEvent::Began { image, what } => self.of(&image).milestone(&what),
            ImageEvent::Line { image, line } => self.of(&image).line(&line),
            ImageEvent::Note { image, text } => self.of(&image).note(&text),
            ImageEvent::Ready { image, fresh, took, .. } => {
                let watch = self.of(&image);
                if fresh {
                    watch.milestone(&format!("ready after {}", seconds(took.max(Duration::from_millis(100)))));
                }
                watch.end();
            }
            _ => {}
        }
    }

    fn end(&self) {
        for watch in self.watches.lock().expect("no holder of this lock panics").values() {
            watch.end();
        }
    }
}

/// A reference, its size, and how it came.
fn row(image: &Image, bytes: u64) -> String {
    let origin = match (image.origin, image.fresh) {
        (Origin::Others, false) => "was there",
        (Origin::Others, true) => "pulled",
        (Origin::Built, _) => "built on its base images",
        (Origin::BuiltLocally, _) => "built from what this machine has",
    };
    let found = if image.fresh || image.origin == Origin::Others { "" } else { ", up to date" };
    format!("{:36}  {:>9}  {origin}{found}", image.reference, megabytes(bytes))
}

fn summary(pruned: &Pruned) -> String {
    let removed = pruned.removed.iter().map(|reference| format!("removed  {reference}\n"));
    let left = pruned.left.iter().map(|left| format!("left     {left}\n"));
    let lines: String = removed.chain(left).collect();
    format!("{lines}{} images removed, {}", pruned.removed.len(), megabytes(pruned.bytes))
}

fn megabytes(bytes: u64) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_one_line() {
        let image = |origin, fresh| Image { reference: "squall/order:3f9a00112233".to_owned(), origin, fresh };
        let check = |image: &Image, expected: &str| assert_eq!(row(image, 6_425_928), expected);
        check(
            &image(Origin::BuiltLocally, true),
            "squall/order:3f9a00112233                6.4 MB  built from what this machine has",
        );
        check(
            &image(Origin::Built, false),
            "squall/order:3f9a00112233                6.4 MB  built on its base images, up to date",
        );
        check(&image(Origin::Others, false), "squall/order:3f9a00112233                6.4 MB  was there");
    }

    #[test]
    fn what_was_pruned_is_counted() {
        let pruned = Pruned {
            removed: vec!["squall/order:1".to_owned()],
            bytes: 123_456_789,
            left: vec!["`squall/order:2`: a container uses it".to_owned()],
        };
        let expected =
            "removed  squall/order:1\nleft     `squall/order:2`: a container uses it\n1 images removed, 123.4 MB";
        assert_eq!(summary(&pruned), expected);
    }
}
