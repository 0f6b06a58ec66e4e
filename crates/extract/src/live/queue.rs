use std::{
    collections::{HashMap, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use super::scan::Message;

/// Messages that a thread may have waiting: one being taken, one ready.
const QUOTA: usize = 2;

/// What the threads of a scan tell, on its way to whoever takes it.
///
/// A channel would do, but for values in parts: those of one must follow each other, so that the
/// taker must be able to pass over other threads' messages, and these must not pile up meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Rung when there is something to take, room to put, or nobody left.
    bell: Condvar,
}

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<Message>,
    waiting: HashMap<usize, usize>,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, guard: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.bell.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room; `false` when nobody takes any more.
    pub(crate) fn put(&self, message: Message) -> bool {
        let index = message.index();
        let mut state = self.lock();
        while !state.closed && state.waiting.get(&index).is_some_and(|waiting| *waiting >= QUOTA) {
            state = self.wait(state);
        }
        if state.closed {
            return false;
        }
        *state.waiting.entry(index).or_default() += 1;
        state.messages.push_back(message);
        self.bell.notify_all();
        true
    }

    /// Waits for the next message, of this thread if there is one named; `None` after the end.
    pub(crate) fn take(&self, only: Option<usize>) -> Option<Message> {
        let mut state = self.lock();
        loop {
            let wanted = |message: &Message| only.is_none_or(|index| index == message.index());
            let at = state.messages.iter().position(wanted);
            if let Some(message) = at.and_then(|at| state.messages.remove(at)) {
                if let Some(waiting) = state.waiting.get_mut(&message.index()) {
                    *waiting = waiting.saturating_sub(1);
                }
                self.bell.notify_all();
                return Some(message);
            }
            if state.closed {
                return None;
            }
            state = self.wait(state);
        }
    }

    /// Lets everybody go.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.messages.clear();
        self.bell.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;
    use crate::live::progress::Progress;

    fn done(index: usize) -> Message {
        Message::Done { index, progress: Box::default() }
    }

    #[test]
    fn a_thread_waits_and_is_let_go() {
        let queue = Arc::new(Queue::default());
        let writer = Arc::clone(&queue);
        let thread = thread::spawn(move || (0..).take_while(|_| writer.put(done(7))).count());
        assert_eq!(queue.take(None).unwrap().index(), 7);
        assert!(queue.put(done(1)));
        // One's own is taken, whatever waits before it.
        assert_eq!(queue.take(Some(1)).unwrap().index(), 1);
        queue.close();
        assert!(thread.join().unwrap() <= 1 + QUOTA);
        assert!(queue.take(None).is_none());
        assert_eq!(Progress::default().cursor, 0);
    }
}
