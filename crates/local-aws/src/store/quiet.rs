//! Panics that are expected, of a library that reads what may be damaged.

use std::{cell::Cell, panic, sync::Once};

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// Does something whose panics are caught in it, and prints nothing of them. Panics of other threads are printed.
pub(super) fn without_panic_message<T>(act: impl FnOnce() -> T) -> T {
    HOOK.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IS_QUIET.get() {
                report(panic);
            }
        }));
    });
    IS_QUIET.set(true);
    let done = act();
    IS_QUIET.set(false);
    done
}
