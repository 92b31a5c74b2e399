//! `squall schema`: the JSON Schema that an editor completes with.

use std::io::{self, Write};

use super::{
    args::{Schema, SchemaOf},
    exit::Exit,
};

pub(super) fn schema(args: &Schema, out: &mut impl Write) -> io::Result<Exit> {
    let schema = match args.of {
        SchemaOf::System => squall_scenario::schema::system_schema(),
        SchemaOf::Scenario => squall_scenario::schema::scenario_schema(),
        SchemaOf::Resilience => squall_contract::resilience::schema(),
    };
    writeln!(out, "{schema:#}")?;
    Ok(Exit::Held)
}
