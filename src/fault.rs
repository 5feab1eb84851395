//! Mistakes that are planted on purpose, one at a time, to see that the harness finds each.
//!
//! Without the feature `planted-faults` every question is answered `false` at compile time and nothing of this is left.
//! With it, a thread plants a fault for itself; the code that asks is the code that runs for everybody.

macro_rules! faults {
    ($(in $suite:ident: $($(#[doc = $mistake:literal])+ $name:ident,)+)+) => {
        /// A real kind of mistake in a real code path.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Fault { $($($(#[doc = $mistake])+ $name,)+)+ }

        impl Fault {
            /// Every fault that can be planted.
            pub const ALL: &'static [Self] = &[$($(Self::$name,)+)+];

            /// The mistake, in a sentence.
            pub fn mistake(self) -> &'static str {
                match self { $($(Self::$name => concat!($($mistake,)+).trim_ascii(),)+)+ }
            }

            /// What finds it.
            pub fn suite(self) -> FaultSuite {
                match self { $($(Self::$name)|+ => FaultSuite::$suite,)+ }
            }
        }
    };
}

mod list;
mod suite;

pub use list::Fault;
pub use suite::FaultSuite;

#[cfg(feature = "harness")]
mod carried;
#[cfg(feature = "harness")]
pub(crate) use carried::Planted;

#[cfg(feature = "planted-faults")]
mod plant;

#[cfg(feature = "planted-faults")]
pub(crate) use plant::planted;
#[cfg(feature = "planted-faults")]
pub use plant::with;

#[cfg(not(feature = "planted-faults"))]
#[inline(always)]
pub(crate) const fn planted(_: Fault) -> bool {
    false
}
