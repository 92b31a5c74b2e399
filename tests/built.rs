//! A scenario without a file, built in Rust, plays and is judged like any other.

use serde_json::json;
use squall::{Play, build};

fn quiet_day() -> Play {
    let scenario = build::scenario("quiet-day", "On a quiet day every order is confirmed")
        .system("../services/system.yaml")
        .setup("stock-up", json!({ "each": { "sku": "skus" }, "quantity": 1000 }))
        .load("place-order", json!({ "rate": "10/s", "for": "2s" }))
        .fault(
            build::fault("a-little-late")
                .on("order -> payment")
                .inject("latency", json!({ "delay": "20ms" }))
                .from("0s"),
        )
        .expect("saga", json!({ "of": "place-order" }))
        .expect("invariant", "money-conserved")
        .expect("invariant", "stock-conserved")
        .expect("exercises", json!({ "succeeded": 15 }));
    squall::built(&scenario)
}

#[tokio::test]
async fn a_scenario_built_in_rust_holds() {
    quiet_day().run().await.assert_held();
}

#[tokio::test]
async fn a_scenario_built_in_rust_shows_its_mistakes() {
    let played = quiet_day().with_scenario_text("\"money-conserved\"", "\"money-conservd\"").run().await;
    let why = played.into_result().expect_err("there is no such invariant").to_string();
    assert!(why.contains("`money-conservd`") && why.contains("money-conserved"), "{why}");
}
