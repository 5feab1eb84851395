//! Threads that run one at a time, and change over where they are told to.

use disklayer_sqlite::sync::turns::{Turned, begin, step, take};
use disklayer_sqlite::sync::{Mutex, RwLock};

/// Two threads that each note their two steps.
fn notes(yields: [&'static [u8]; 2]) -> (Vec<(usize, u32)>, Turned) {
    let notes = Mutex::new(Vec::new());
    let work = |thread: usize| {
        let notes = &notes;
        move || {
            begin(yields[thread]);
            for nth in 0..2 {
                notes.lock().unwrap().push((thread, nth));
            }
        }
    };
    let (_, turned) = take(vec![work(0), work(1)]);
    let notes = notes.lock().unwrap().clone();
    (notes, turned)
}

#[test]
fn threads_change_over_where_their_requests_say_and_nowhere_else() {
    assert_eq!(notes([&[], &[]]).0, [(0, 0), (0, 1), (1, 0), (1, 1)]);
    assert_eq!(notes([&[0], &[]]).0, [(1, 0), (1, 1), (0, 0), (0, 1)]);
    assert_eq!(notes([&[2], &[]]).0, [(0, 0), (1, 0), (1, 1), (0, 1)]);
    assert_eq!(notes([&[2], &[2]]).0, [(0, 0), (1, 0), (0, 1), (1, 1)]);
    let (_, turned) = notes([&[2], &[2]]);
    assert_eq!((turned.steps, turned.switches), (6, 3));
    assert_eq!(turned, notes([&[2], &[2]]).1, "the same yields are the same interleaving");
    assert_ne!(turned.interleaving, notes([&[1], &[2]]).1.interleaving);
}

#[test]
fn one_that_waits_for_a_lock_lets_the_others_go_on() {
    let lock = RwLock::new(0);
    let writer = || {
        begin(&[2]);
        let mut value = lock.write().unwrap();
        step();
        *value += 1;
    };
    let reader = || {
        begin(&[]);
        assert_eq!(*lock.read().unwrap(), 1);
    };
    let works: Vec<Box<dyn FnOnce() + Send>> = vec![Box::new(writer), Box::new(reader)];
    let (results, turned) = take(works);
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(turned.switches, 3, "to the reader, back as it waits, and to it again");
}

#[test]
fn a_deadlock_is_a_panic_of_all_who_wait() {
    let (a, b) = (Mutex::new(()), Mutex::new(()));
    let work = |first, second| {
        let (first, second): (&Mutex<()>, &Mutex<()>) = (first, second);
        move || {
            begin(&[2]);
            let _first = first.lock();
            let _second = second.lock();
        }
    };
    let (results, _) = take(vec![work(&a, &b), work(&b, &a)]);
    assert!(results.iter().any(Result::is_err));
}
