//! Judges the records named on the command line: `cargo run -p squall-verdict --example judge -- record.ndjson`.
#![expect(clippy::print_stdout, reason = "an example talks to its terminal")]

use squall_record::Record;
use squall_verdict::{judge, render};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for path in std::env::args().skip(1) {
        let record = Record::parse(&std::fs::read_to_string(&path)?)?;
        println!("{}", render::terminal(&judge(&record)?, false));
    }
    Ok(())
}
