//! Threads: how they take turns, and what their histories permit.

mod histories;
mod own;
mod planted;
mod power_cuts;
mod search;
mod text;
mod turns;
