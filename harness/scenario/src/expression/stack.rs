//! Room for recursion: CEL's parser takes some 100 KiB of stack a bracket when it is not optimised.

use std::cell::Cell;

/// The stack of a thread with room, in bytes. Only what is used of it is ever memory.
const BYTES: usize = 64 << 20;

thread_local! {
    static HAS_ROOM: Cell<bool> = const { Cell::new(false) };
}

/// Runs a computation on a thread with room for recursion; in place, if this is such a thread.
///
/// # Panics
/// If the computation panics, or no thread can be had: then there is no memory left either.
pub(crate) fn on_a_deep_stack<T: Send>(compute: impl FnOnce() -> T + Send) -> T {
    if HAS_ROOM.get() {
        return compute();
    }
    let with_room = || {
        HAS_ROOM.set(true);
        compute()
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(BYTES).spawn_scoped(scope, with_room);
        match thread.map(|thread| thread.join()) {
            Ok(Ok(value)) => value,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => panic!("no thread to compile an expression on: {error}"),
        }
    })
}
