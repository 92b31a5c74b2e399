//! Writes the files that are made from the crate's tables: the JSON Schema of resilience files, and DIFF.md.

use std::{io, path::Path};

fn main() -> io::Result<()> {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (path, text) in squall_contract::generated() {
        let path = crate_folder.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, text)?;
    }
    Ok(())
}
