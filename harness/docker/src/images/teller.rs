//! What happens to one image, told to whoever watches.

use std::time::Duration;

use super::{Image, ImageEvent};

/// Tells of one image.
pub(super) struct Teller<'a> {
    image: &'a str,
    progress: &'a (dyn Fn(ImageEvent) + Send + Sync),
}

impl<'a> Teller<'a> {
    pub(super) fn new(image: &'a str, progress: &'a (dyn Fn(ImageEvent) + Send + Sync)) -> Teller<'a> {
        Teller { image, progress }
    }

    /// The image: `squall/order`, `postgres:16`.
    pub(super) fn image(&self) -> String {
        self.image.to_owned()
    }

    pub(super) fn began(&self, what: &str) {
        (self.progress)(ImageEvent::Began { image: self.image(), what: what.to_owned() });
    }

    pub(super) fn line(&self, line: &str) {
        (self.progress)(ImageEvent::Line { image: self.image(), line: line.to_owned() });
    }

    pub(super) fn note(&self, text: String) {
        (self.progress)(ImageEvent::Note { image: self.image(), text });
    }

    pub(super) fn ready(&self, ready: &Image, took: Duration) {
        let (reference, origin) = (ready.reference.clone(), ready.origin);
        (self.progress)(ImageEvent::Ready { image: self.image(), reference, origin, fresh: ready.fresh, took });
    }
}
