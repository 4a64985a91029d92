//! Mutexes as this program wants them. A thread that panicked while it held one has poisoned it; that is no reason to lose
//! anything, as long as whatever is behind the mutex is whole at every moment: so do not use these where it is not.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Waits for the mutex.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the mutex up until `more` is notified, or for no reason at all: look again.
pub(crate) fn wait<'a, T>(more: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    more.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

/// As [`wait`], and no longer than `most`.
pub(crate) fn wait_at_most<'a, T>(
    more: &Condvar,
    guard: MutexGuard<'a, T>,
    most: Duration,
) -> MutexGuard<'a, T> {
    more.wait_timeout(guard, most).unwrap_or_else(PoisonError::into_inner).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_that_panicked_has_left_is_still_there() {
        let mutex = Mutex::new(7);
        let panicked = std::thread::scope(|scope| {
            let panicking = scope.spawn(|| {
                let _held = mutex.lock();
                std::panic::resume_unwind(Box::new(()));
            });
            panicking.join().is_err()
        });
        assert!(panicked && mutex.is_poisoned());
        assert_eq!(*wait_at_most(&Condvar::new(), lock(&mutex), Duration::ZERO), 7);
    }
}
