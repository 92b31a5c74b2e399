//! The `squall` command.

/// The load's thread comes before all others, and with the system's allocator it waits for locks that ordinary threads
/// hold while they are put aside: at two processors and eight runs, most of the starts that were late. This one has a
/// heap for each thread, and memory that goes from thread to thread takes no lock.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    squall::cli::main()
}
