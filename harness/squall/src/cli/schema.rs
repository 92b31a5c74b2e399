//! `squall schema`: the JSON Schema that an editor completes with.

use std::io::{self, Write};

use super::{
    args::{Schema, SchemaOf},
    exit::Exit,
};

pub(super) fn schema(args: &Schema, out: &mut impl Write) -> io::Result<Exit> {
    let schema = match args.of {
        SchemaOf::System => "",
        SchemaOf::Scenario => "",
    };
    writeln!(out, "{schema}")?;
    Ok(Exit::Held)
}
