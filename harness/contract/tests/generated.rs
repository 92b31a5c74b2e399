//! The files that are made from the crate's tables are the ones in force.

#[test]
fn generated_files_are_up_to_date() {
    let crate_root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for (path, text) in squall_contract::generated() {
        let written = std::fs::read_to_string(crate_root.join(path)).unwrap_or_default();
        assert!(written == text, "{path} is stale: cargo run -p squall-contract --example tables");
    }
}
