//! What stands in the contracts, each interaction verified against the service that must keep it.

use libtest_mimic::{Arguments, Trial};
use squall_contract_tests::{
    contract::{self, Interaction},
    files, verify,
};

fn main() {
    let arguments = Arguments::from_args();
    let texts = files::read(&files::folder()).expect("contracts");
    let read = |(name, text): (&String, &String)| match contract::interactions(text) {
        Ok(interactions) => interactions.into_iter().map(provider_test).collect(),
        Err(error) => vec![Trial::test(format!("contracts/{name} can be read"), move || Err(error.into()))],
    };
    let trials: Vec<Trial> = texts.iter().flat_map(read).collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn provider_test(interaction: Interaction) -> Trial {
    Trial::test(interaction.title(), move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(verify::verify(&interaction, |app| app))?)
    })
}
