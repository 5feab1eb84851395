//! What is planted on a thread, for the threads that it starts.

/// What is planted on the thread that made it.
#[derive(Clone, Copy)]
pub(crate) struct Planted(#[cfg(feature = "planted-faults")] super::plant::Plants);

#[cfg(feature = "planted-faults")]
impl Planted {
    pub(crate) fn here() -> Self {
        Self(super::plant::here())
    }

    pub(crate) fn within<R>(self, work: impl FnOnce() -> R) -> R {
        super::plant::within(self.0, work)
    }
}

#[cfg(not(feature = "planted-faults"))]
impl Planted {
    pub(crate) fn here() -> Self {
        Self()
    }

    pub(crate) fn within<R>(self, work: impl FnOnce() -> R) -> R {
        work()
    }
}
