//! The oracle as proptest's reference, a real stack as its system under test.

use std::fmt;

use disklayer_sqlite::harness::{StackSubject, Subject, World, act};
use disklayer_sqlite::layer::SectorMarker;
use disklayer_sqlite::oracle::Oracle;
use disklayer_sqlite::script::{Op, OpKind, Outcome, Profile, Script, SeedChoices, Shape, Suite};
use proptest::prelude::*;
use proptest::strategy::{NewTree, ValueTree};
use proptest::test_runner::TestRunner;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

const POISON: u8 = 0xd7;

/// The oracle, and what it expects of the latest operation.
#[derive(Clone)]
struct Reference {
    shape: Shape,
    oracle: Oracle,
    outcome: Outcome,
    bytes: Vec<u8>,
}

/// The stack's lines of the script: proptest's comment can be given to `disklayer replay`.
impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shape.fmt(f)
    }
}

struct Machine;

impl ReferenceStateMachine for Machine {
    type State = Reference;
    type Transition = Op;

    fn init_state() -> BoxedStrategy<Reference> {
        let shapes = any::<u64>().prop_map(|seed| {
            let mut choices = SeedChoices::new(seed, 0);
            // Not the huge disks: operations are drawn here without regard to pushes, and format 0 remembers an unmap
            // of 2^32 sectors over another layer in as many rows.
            let suites = [Suite::Layers, Suite::Stacks, Suite::Caches, Suite::Reopen, Suite::Reshape];
            Script::generate(&Profile::new(suites[seed as usize % suites.len()]), &mut choices).shape
        });
        let possible = shapes.prop_filter_map("a stack that is refused", |shape| {
            let (oracle, outcome) = Oracle::new(&shape);
            (outcome == Outcome::Done).then_some(Reference { shape, oracle, outcome, bytes: Vec::new() })
        });
        possible.no_shrink().boxed()
    }

    fn transitions(state: &Reference) -> BoxedStrategy<Op> {
        OpStrategy { shape: state.shape.clone() }.boxed()
    }

    fn apply(mut state: Reference, op: &Op) -> Reference {
        state.bytes = vec![POISON; op.buffer_len(state.shape.sector_size as usize)];
        state.outcome = state.oracle.apply(op, &mut state.bytes).outcome;
        state
    }
}

/// Operations as the gate makes them, shrunk as the gate shrinks them.
#[derive(Debug)]
struct OpStrategy {
    shape: Shape,
}

impl Strategy for OpStrategy {
    type Tree = OpTree;
    type Value = Op;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let profile = Profile { max_ops: 1, ..Profile::new(Suite::Reshape) };
        let mut choices = SeedChoices::new(runner.rng().next_u64(), 0);
        let op = Script::generate_ops(&profile, &self.shape, &mut choices)[0];
        Ok(OpTree { failing: op, current: op, candidates: op.simpler() })
    }
}

#[derive(Debug)]
struct OpTree {
    /// The simplest operation known to fail.
    failing: Op,
    current: Op,
    /// Simpler ones that have not been tried, the greatest step first.
    candidates: Vec<Op>,
}

impl ValueTree for OpTree {
    type Value = Op;

    fn current(&self) -> Op {
        self.current
    }

    fn simplify(&mut self) -> bool {
        if self.current != self.failing {
            self.failing = self.current;
            self.candidates = self.current.simpler();
        }
        if self.candidates.is_empty() {
            return false;
        }
        self.current = self.candidates.remove(0);
        true
    }

    /// Only restores: going on to the next candidate would report a minimum that does not fail.
    fn complicate(&mut self) -> bool {
        std::mem::replace(&mut self.current, self.failing) != self.failing
    }
}

struct System {
    stack: StackSubject<World>,
    sector_size: usize,
}

impl StateMachineTest for Machine {
    type SystemUnderTest = System;
    type Reference = Machine;

    fn init_test(reference: &Reference) -> System {
        let stack = StackSubject::create(&reference.shape, World::new(None).unwrap()).unwrap();
        System { stack, sector_size: reference.shape.sector_size as usize }
    }

    fn apply(mut system: System, reference: &Reference, op: Op) -> System {
        let mut bytes = vec![POISON; op.buffer_len(system.sector_size)];
        let actual = act(&mut system.stack, &op, system.sector_size, &mut bytes);
        assert_eq!(actual.outcome, reference.outcome, "{:?}", actual.message);
        if matches!(op.kind(), OpKind::Read) {
            assert_eq!(bytes, reference.bytes);
        }
        system
    }

    fn check_invariants(system: &System, reference: &Reference) {
        for index in 0..reference.oracle.layer_count() {
            let count = reference.oracle.sector_count(index).min(256);
            let mut expected = vec![POISON; count as usize * system.sector_size];
            let mut actual = expected.clone();
            let mut marker = SectorMarker::new(0..count);
            system.stack.layer(index).unwrap().read(0, &mut actual, &mut marker).unwrap();
            let present = reference.oracle.look(index, 0, &mut expected);
            assert_eq!((0..count).map(|sector| marker.is_set(sector)).collect::<Vec<_>>(), present, "layer {index}");
            assert_eq!(actual, expected, "layer {index}");
        }
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn proptest_finds_no_divergence(sequential 1..40 => Machine);
}
