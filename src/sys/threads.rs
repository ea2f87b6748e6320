//! Two things at the same time.

/// Does both, the second in a thread of its own where there is one to be had, and gives what both gave. Nothing is
/// left running.
pub fn both<T: Send>(here: impl FnOnce() -> T, there: impl Fn() -> T + Sync) -> (T, T) {
    std::thread::scope(|scope| {
        let other = std::thread::Builder::new().spawn_scoped(scope, &there);
        let one = here();
        let two = match other.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(two)) => two,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            // No thread is left to this process.
            Err(_) => there(),
        };
        (one, two)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_are_done_in_order() {
        assert_eq!(super::both(|| 1, || 2), (1, 2));
    }

    #[test]
    fn a_panic_comes_through() {
        let panics = || super::both(|| (), || std::panic::panic_any("there"));
        let seen = std::panic::catch_unwind(panics).unwrap_err();
        assert_eq!(seen.downcast_ref::<&str>(), Some(&"there"));
    }
}
