//! The files of this repository are read without a mistake.

use std::path::{Path, PathBuf};

use squall_record::Source;

fn source(path: &Path) -> Source {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Source { name: path.display().to_string(), text }
}

fn scenarios() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders = vec![root.join("scenarios"), root.join("tests/foreign/scenarios")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "yaml") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[test]
fn every_scenario_is_read_without_a_mistake() {
    let files = scenarios();
    assert!(!files.is_empty());
    for file in files {
        let scenario = source(&file);
        let named = squall_scenario::system_path_of(&scenario).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let system = source(&file.parent().unwrap().join(named));
        match squall_scenario::load(&system, &scenario) {
            Ok(loaded) => assert!(loaded.warnings.is_empty(), "{}", loaded.warnings),
            Err(mistakes) => panic!("{mistakes}"),
        }
    }
}
