//! What histories permit, and what they do not: the oracle's judgement of requests that are made up here.

use disklayer_sqlite::harness::{Threads, World, prove};
use disklayer_sqlite::oracle::{Oracle, Request, Seen, Unexplained};
use disklayer_sqlite::script::{Content, Op, Script};

const SIZE: usize = 512;
const POISON: u8 = 0xee;

fn oracle(stack: &str) -> Oracle {
    let script: Script = format!("disk 512; {stack}").parse().unwrap();
    Oracle::new(&script.shape).0
}

/// A request from one time to another; a read has found sectors full of these stamps, and poison where there is none.
fn request(called: u64, returned: u64, text: &str, found: &[Option<u32>]) -> Request {
    let script: Script = format!("disk 512; layer ram 9; {text}").parse().unwrap();
    let op = script.lines[0].op;
    let mut bytes = vec![POISON; found.len() * SIZE];
    for (nth, stamp) in found.iter().enumerate() {
        let sector = op.range().unwrap().0 + nth as u64;
        if let Some(stamp) = stamp {
            stamped(*stamp).render(sector, SIZE, &mut bytes[nth * SIZE..][..SIZE]);
        }
    }
    let of_a_layer = matches!((&op, op.target()), (Op::Read { .. }, disklayer_sqlite::script::Target::Layer(_)));
    let present = of_a_layer.then(|| found.iter().map(Option::is_some).collect());
    Request { op, called, returned, bytes, poison: POISON, present }
}

/// Stamp 0 stands for zeros.
fn stamped(stamp: u32) -> Content {
    if stamp == 0 { Content::Zeros } else { Content::Stamp(stamp) }
}

fn seen(sector: u64, stamps: &[Option<u32>]) -> Seen {
    let bytes = |stamp: &Option<u32>| {
        stamp.map(|stamp| {
            let mut bytes = vec![0; SIZE];
            stamped(stamp).render(sector, SIZE, &mut bytes);
            bytes
        })
    };
    Seen { sector, layers: stamps.iter().map(bytes).collect() }
}

fn judge(stack: &str, requests: &[Request], after: &[Seen]) -> Result<(), Unexplained> {
    oracle(stack).explain(requests, after).map(drop)
}

const RAM: &str = "layer ram 8 filled 9";

#[test]
fn rule_23_a_read_sees_each_sector_before_or_after_a_write_that_overlaps_it() {
    for found in [[9, 9], [1, 1], [9, 1], [1, 9]] {
        let requests = [request(0, 3, "write 0 2 stamp 1", &[]), request(1, 2, "read 0 2", &found.map(Some))];
        assert_eq!(judge(RAM, &requests, &[]), Ok(()), "{found:?}");
    }
    let requests = [request(0, 3, "write 0 2 stamp 1", &[]), request(1, 2, "read 0 2", &[Some(9), Some(7)])];
    assert_eq!(judge(RAM, &requests, &[]), Err(Unexplained::Read(1)));
}

#[test]
fn rule_23_a_read_that_begins_after_a_write_returned_sees_it() {
    let requests = [request(0, 1, "write 0 1 stamp 1", &[]), request(2, 3, "read 0 1", &[Some(9)])];
    assert_eq!(judge(RAM, &requests, &[]), Err(Unexplained::Read(1)));
    let requests = [request(2, 3, "write 0 1 stamp 1", &[]), request(0, 1, "read 0 1", &[Some(1)])];
    assert_eq!(judge(RAM, &requests, &[]), Err(Unexplained::Read(1)), "nor one that has not begun");
}

#[test]
fn rule_23_what_was_seen_is_not_unseen() {
    let write = || request(0, 9, "write 0 1 stamp 1", &[]);
    let reads =
        |first, then| [write(), request(1, 2, "read 0 1", &[Some(first)]), request(3, 4, "read 0 1", &[Some(then)])];
    assert_eq!(judge(RAM, &reads(9, 1), &[]), Ok(()));
    assert_eq!(judge(RAM, &reads(1, 9), &[]).map_err(|_| ()), Err(()));
}

#[test]
fn rule_23_a_write_that_begins_after_another_returned_replaces_it() {
    let writes = [request(0, 1, "write 0 1 stamp 1", &[]), request(2, 3, "write 0 1 stamp 2", &[])];
    assert_eq!(judge(RAM, &writes, &[seen(0, &[Some(2)])]), Ok(()));
    assert_eq!(judge(RAM, &writes, &[seen(0, &[Some(1)])]), Err(Unexplained::Sector(0)));
}

/// Each sector alone could have it so; a write that is whole could not.
#[test]
fn rule_23_writes_take_effect_whole() {
    let writes = || [request(0, 9, "write 0 2 stamp 1", &[]), request(0, 9, "write 0 2 stamp 2", &[])];
    let both = |a, b| [seen(0, &[Some(a)]), seen(1, &[Some(b)])];
    assert_eq!(judge(RAM, &writes(), &both(1, 1)), Ok(()));
    assert_eq!(judge(RAM, &writes(), &both(2, 2)), Ok(()));
    assert_eq!(judge(RAM, &writes(), &both(1, 2)), Err(Unexplained::Sectors));
    assert_eq!(judge(RAM, &writes(), &both(9, 2)), Err(Unexplained::Sector(0)));
}

/// Two readers disagree about the order of two writes, each of them in a sector of its own.
#[test]
fn rule_23_everybody_sees_the_same_order() {
    let requests = |late: [u32; 2]| {
        [
            request(0, 99, "write 0 1 stamp 1", &[]),
            request(0, 99, "write 1 1 stamp 2", &[]),
            request(1, 2, "read 0 1", &[Some(1)]),
            request(3, 4, "read 1 1", &[Some(9)]),
            request(5, 6, "read 1 1", &[Some(late[0])]),
            request(7, 8, "read 0 1", &[Some(late[1])]),
        ]
    };
    assert_eq!(judge(RAM, &requests([9, 1]), &[]), Ok(()));
    assert_eq!(judge(RAM, &requests([2, 1]), &[]), Ok(()));
    assert_eq!(judge(RAM, &requests([2, 9]), &[]).map_err(|_| ()), Err(()));
    let across = [
        request(0, 99, "write 0 1 stamp 1", &[]),
        request(0, 99, "write 1 1 stamp 2", &[]),
        request(1, 10, "read 0 1", &[Some(1)]),
        request(11, 20, "read 1 1", &[Some(9)]),
        request(1, 10, "read 1 1", &[Some(2)]),
        request(11, 20, "read 0 1", &[Some(9)]),
    ];
    assert_eq!(judge(RAM, &across, &[]), Err(Unexplained::Reads));
}

/// A sector that was read is kept in the cache, as it was then; a write that goes past the cache leaves it there.
#[test]
fn rule_23_a_cache_is_filled_at_the_instant_of_the_read() {
    let stack = "layer ram 8; layer ram 8 read-cache; layer ram 8 filled 9";
    let racing = [request(0, 9, "read 0 1", &[Some(9)]), request(0, 9, "write 0 1 stamp 1", &[])];
    assert_eq!(judge(stack, &racing, &[seen(0, &[Some(1), Some(9), Some(9)])]), Ok(()));
    assert_eq!(judge(stack, &racing, &[seen(0, &[Some(1), None, Some(9)])]), Err(Unexplained::Sector(0)));
    let racing = [request(0, 9, "read 0 1", &[Some(1)]), request(0, 9, "write 0 1 stamp 1", &[])];
    assert_eq!(judge(stack, &racing, &[seen(0, &[Some(1), None, Some(9)])]), Ok(()));
    assert_eq!(judge(stack, &racing, &[seen(0, &[Some(1), Some(9), Some(9)])]), Err(Unexplained::Sector(0)));
}

#[test]
fn rule_23_the_order_that_explains_is_the_state_from_then_on() {
    let mut oracle = oracle(RAM);
    let requests = [request(0, 9, "write 0 2 stamp 1", &[]), request(0, 9, "unmap 1 3", &[])];
    oracle.explain(&requests, &[seen(0, &[Some(1)]), seen(1, &[Some(1)]), seen(3, &[None])]).unwrap();
    let mut buf = vec![0; 5 * SIZE];
    assert_eq!(oracle.look(0, 0, &mut buf), [true, true, false, false, true]);
    let mut expected = vec![0; 2 * SIZE];
    Content::Stamp(1).render(0, SIZE, &mut expected);
    assert_eq!(buf[..2 * SIZE], expected);
}

#[test]
fn rule_23_layers_alone_are_judged_with_their_presence() {
    let stack = "layer ram 8; layer ram 8 filled 9";
    let racing =
        |found| [request(0, 9, "write @0 1 1 stamp 1", &[]), request(0, 9, "read @0 0 3", &[None, found, None])];
    assert_eq!(judge(stack, &racing(None), &[seen(1, &[Some(1), Some(9)])]), Ok(()));
    assert_eq!(judge(stack, &racing(Some(1)), &[seen(1, &[Some(1), Some(9)])]), Ok(()));
    assert_eq!(judge(stack, &racing(Some(9)), &[]), Err(Unexplained::Read(1)));
}

/// Whatever is asked at once of one sector comes to the same in every order, or the orders are told apart.
#[test]
fn rule_23_every_interleaving_of_two_short_threads_is_explained() {
    let mut world = World::new(None).unwrap();
    let mut histories = disklayer_sqlite::harness::Histories::default();
    for (a, b, c) in (0..6).flat_map(|a| (0..6).flat_map(move |b| (0..6).map(move |c| (a, b, c)))) {
        let text = format!(
            "disk 512 in-memory; layer sqlite 8 read-cache write-through; layer ram 8 filled 9
             1 yields {a}| write 0 4 stamp 1; 2 yields {b} {c}| read 0 6; 1 yields {c}| unmap 2 4; 2 yields {a}| write 3 2 zeros"
        );
        let summary = prove(&text.parse().unwrap(), &mut world).unwrap_or_else(|d| panic!("{d}"));
        histories.add(&summary.histories);
    }
    assert_eq!((histories.groups, world.threads()), (216, Threads::TakeTurns));
    assert!(histories.raced > 100, "{histories:?}");
}

/// A read fills the cache again that the commit has emptied, as if the write had come last; in the sector behind the
/// read one sees that it has.
#[test]
fn rule_23_the_sector_behind_a_read_tells_orders_apart() {
    let text = "disk 512; layer ram 4 read-cache write-through; layer ram 4; layer ram 4 filled 9; \
                1 yields 1| write 0 4 stamp 1; 2| commit; 1| read 0 2";
    prove(&text.parse().unwrap(), &mut World::new(None).unwrap()).unwrap_or_else(|d| panic!("{d}"));
}

/// What a power cut may leave of two sectors.
fn may_survive(requests: &[Request], left: [u32; 2]) -> bool {
    let seen = [seen(0, &[Some(left[0])]), seen(1, &[Some(left[1])])];
    oracle(RAM).permits_cut(requests, &seen)
}

#[test]
fn rule_16_after_a_cut_writes_that_overlapped_may_be_gone_in_any_order_and_others_only_backwards() {
    let writes = |then| [request(0, 2, "write 0 1 stamp 1", &[]), request(then, then + 2, "write 1 1 stamp 2", &[])];
    for left in [[9, 9], [1, 9], [9, 2], [1, 2]] {
        assert!(may_survive(&writes(1), left), "{left:?}");
        assert_eq!(may_survive(&writes(3), left), left != [9, 2], "{left:?}");
    }
    assert!(!may_survive(&writes(3), [1, 7]));
}

#[test]
fn rule_15_a_flush_promises_what_was_acknowledged_before_it_was_called() {
    let write = || request(0, 1, "write 0 1 stamp 1", &[]);
    let late = || request(3, 9, "write 1 1 stamp 2", &[]);
    let promised = [write(), request(2, 4, "flush", &[]), late()];
    assert!(may_survive(&promised, [1, 9]) && may_survive(&promised, [1, 2]));
    assert!(!may_survive(&promised, [9, 9]) && !may_survive(&promised, [9, 2]));
    let unfinished = [write(), request(2, u64::MAX, "flush", &[])];
    assert!(may_survive(&unfinished, [9, 9]), "a flush that had not returned has promised nothing");
    let overlapping = [request(0, 5, "write 0 1 stamp 1", &[]), request(2, 4, "flush", &[])];
    assert!(may_survive(&overlapping, [9, 9]), "nor has one for what was not acknowledged");
    let fua = [write(), request(2, 3, "write 1 1 stamp 2 fua", &[])];
    assert!(may_survive(&fua, [1, 2]) && !may_survive(&fua, [1, 9]) && !may_survive(&fua, [9, 2]));
}

/// Whether the two race, whichever is named first.
fn race(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|text| request(0, 1, text, &[]));
    let races = one.races_with(&other);
    assert_eq!(other.races_with(&one), races);
    races
}

#[test]
fn rule_23_requests_race_where_they_meet_and_one_of_them_changes_something() {
    assert!(race("write 2 2 zeros", "read 3 1") && race("write 2 2 zeros", "unmap 0 3"));
    assert!(race("write 2 2 zeros", "read 2 2") && race("commit", "read 8 1"));
    assert!(!race("write 2 2 zeros", "read 4 1") && !race("write 2 2 zeros", "unmap 0 2"));
    assert!(!race("read 2 2", "read 2 2") && !race("flush", "write 2 2 zeros"));
    assert!(!race("write 2 0 zeros", "read 2 1"), "what is of no sectors changes nothing");
}

#[test]
fn rule_23_requests_overlap_unless_one_has_returned_when_the_other_is_called() {
    let read = |called, returned| request(called, returned, "read 0 1", &[]);
    assert!(read(0, 3).overlaps(&read(2, 4)) && read(2, 4).overlaps(&read(0, 3)) && read(0, 9).overlaps(&read(2, 4)));
    assert!(!read(0, 2).overlaps(&read(2, 4)) && !read(2, 4).overlaps(&read(0, 2)));
}
