//! Writes the contracts anew: plays every consumer, and puts what they rely on into `contracts/`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "whoever renews contracts wants to know what changed")]

use std::{fs, process::ExitCode};

use squall_contract_tests::files;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match renew().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn renew() -> Result<(), String> {
    let folder = files::folder();
    let written = files::write().await?;
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let stand = files::read(&folder).map_err(|error| error.to_string())?;
    for (name, text) in &written {
        let change = match stand.get(name) {
            Some(stands) if stands == text => "unchanged",
            Some(_) => "renewed",
            None => "new",
        };
        fs::write(folder.join(name), text).map_err(|error| format!("contracts/{name}: {error}"))?;
        println!("{change:9}  contracts/{name}");
    }
    for name in stand.keys().filter(|name| !written.contains_key(*name)) {
        fs::remove_file(folder.join(name)).map_err(|error| format!("contracts/{name}: {error}"))?;
        println!("removed    contracts/{name}");
    }
    Ok(())
}
