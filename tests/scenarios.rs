//! Every scenario of the catalogue holds: one named test a file.

fn main() -> std::process::ExitCode {
    squall::suite::main(squall_tests::SCENARIOS)
}
