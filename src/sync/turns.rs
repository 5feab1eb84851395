//! Threads that run one at a time, and change over where they are told to.
//!
//! A thread takes *steps*: one before each request, one before each lock, and wherever [`step`] is called. It gives way
//! to the next thread at the steps that its request names, when it waits for a lock, and at its end. Nothing else
//! decides, so the same requests that yield at the same steps interleave in the same way.

use std::cell::RefCell;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What came of threads that took turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turned {
    /// Steps of all threads.
    pub steps: u64,
    /// How often another thread went on.
    pub switches: u64,
    /// A hash of who took which step: an interleaving has its own.
    pub interleaving: u64,
}

struct Turns {
    state: Mutex<State>,
    changed: Vec<Condvar>,
}

struct State {
    /// Whose turn it is.
    turn: usize,
    threads: Vec<Thread>,
    turned: Turned,
    /// Every thread waits for another.
    stuck: bool,
}

struct Thread {
    standing: Standing,
    /// The number of the next step of its request.
    step: u32,
    /// At which steps it gives way.
    yields: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Ready,
    /// For this lock.
    Waits(usize),
    Done,
}

thread_local! {
    static HERE: RefCell<Option<(Arc<Turns>, usize)>> = const { RefCell::new(None) };
}

/// Runs each of `works` on a thread of its own; the first begins.
pub fn take<R: Send>(works: Vec<impl FnOnce() -> R + Send>) -> (Vec<std::thread::Result<R>>, Turned) {
    let turns = Arc::new(Turns::new(works.len()));
    let results = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..)
            .zip(works)
            .map(|(me, work)| {
                let turns = turns.clone();
                scope.spawn(move || turns.take_part(me, work))
            })
            .collect();
        threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    let turned = turns.state().turned;
    (results, turned)
}

/// Whether this thread takes turns with others.
pub fn are_taken() -> bool {
    HERE.with_borrow(Option::is_some)
}

/// A request begins that gives way at these of its steps; a step named twice gives way twice.
pub fn begin(yields: &[u8]) {
    with(|turns, me| {
        let mut state = turns.state();
        state.threads[me].step = 0;
        state.threads[me].yields = yields.to_vec();
        turns.step(state, me);
    });
}

/// A place where another thread may go on.
pub fn step() {
    with(|turns, me| turns.step(turns.state(), me));
}

/// Lets others go on until `lock` was released.
pub(super) fn wait_for(lock: usize) {
    with(|turns, me| turns.wait_for(lock, me));
}

pub(super) fn released(lock: usize) {
    with(|turns, _| {
        let mut state = turns.state();
        let waiting = state.threads.iter_mut().filter(|thread| thread.standing == Standing::Waits(lock));
        waiting.for_each(|thread| thread.standing = Standing::Ready);
    });
}

fn with(work: impl FnOnce(&Turns, usize)) {
    if let Some((turns, me)) = HERE.with_borrow(Clone::clone) {
        work(&turns, me);
    }
}

impl Turns {
    fn new(count: usize) -> Self {
        let thread = || Thread { standing: Standing::Ready, step: 0, yields: Vec::new() };
        let threads = (0..count).map(|_| thread()).collect();
        let state = State { turn: 0, threads, turned: Turned::default(), stuck: false };
        Self { state: Mutex::new(state), changed: (0..count).map(|_| Condvar::new()).collect() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_part<R>(self: Arc<Self>, me: usize, work: impl FnOnce() -> R) -> R {
        /// However the work ends, the others go on.
        struct Part(Arc<Turns>, usize);
        impl Drop for Part {
            fn drop(&mut self) {
                HERE.take();
                self.0.end(self.1);
            }
        }
        let part = Part(self.clone(), me);
        drop(self.until_my_turn(self.state(), me));
        HERE.set(Some((self, me)));
        let result = work();
        drop(part);
        result
    }

    fn step(&self, mut state: MutexGuard<'_, State>, me: usize) {
        let step = state.threads[me].step;
        state.threads[me].step += 1;
        state.turned.steps += 1;
        state.turned.interleaving = (state.turned.interleaving ^ me as u64 ^ 0x5a).wrapping_mul(0x0100_0000_01b3);
        let yields = state.threads[me].yields.iter().filter(|at| u32::from(**at) == step).count();
        for _ in 0..yields {
            if self.pass_on(&mut state, me) {
                state = self.until_my_turn(state, me);
            }
        }
    }

    fn wait_for(&self, lock: usize, me: usize) {
        let mut state = self.state();
        state.threads[me].standing = Standing::Waits(lock);
        if !self.pass_on(&mut state, me) {
            self.despair(&mut state);
        }
        let state = self.until_my_turn(state, me);
        let stuck = state.stuck;
        drop(state);
        assert!(!stuck, "a deadlock: every thread waits for a lock that another one has");
    }

    fn end(&self, me: usize) {
        let mut state = self.state();
        state.threads[me].standing = Standing::Done;
        let waiting = state.threads.iter().any(|thread| matches!(thread.standing, Standing::Waits(_)));
        if !self.pass_on(&mut state, me) && waiting {
            self.despair(&mut state);
        }
    }

    /// Gives the turn to the next thread that can go on, if there is one.
    fn pass_on(&self, state: &mut State, me: usize) -> bool {
        let count = state.threads.len();
        let mut others = (me + 1..me + count).map(|thread| thread % count);
        let Some(next) = others.find(|&thread| state.threads[thread].standing == Standing::Ready) else { return false };
        state.turn = next;
        state.turned.switches += 1;
        self.changed[next].notify_one();
        true
    }

    /// Nobody can go on: everybody is told.
    fn despair(&self, state: &mut State) {
        state.stuck = true;
        self.changed.iter().for_each(Condvar::notify_all);
    }

    fn until_my_turn<'a>(&self, mut state: MutexGuard<'a, State>, me: usize) -> MutexGuard<'a, State> {
        while state.turn != me && !state.stuck {
            state = self.changed[me].wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }
}
