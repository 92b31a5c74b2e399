//! Against a real engine. Where there is none, each test says so and does nothing; with `SQUALL_REQUIRE_CONTAINERS=1` it
//! fails instead.

mod support;
mod sweep;
mod images;
mod postgres;
