//! Threads: how they take turns, and what their histories permit.

mod turns;
