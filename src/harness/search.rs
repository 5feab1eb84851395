//! Looking for a divergence in somebody's disk.

use super::{Divergence, Subject, Summary, minimize, run};
use crate::error::Result;
use crate::geometry::Geometry;
use crate::oracle::Oracle;
use crate::script::{Line, Profile, Script, SeedChoices, Shape, Suite};

/// A divergence that was found and shrunk.
#[derive(Debug)]
pub struct Finding {
    /// The script after which it was found, counted from 0.
    pub case: u64,
    /// The shrunk divergence; its text is a script.
    pub divergence: Box<Divergence>,
}

/// Runs `scripts` random scripts on disks of that geometry; `make` makes a new one for each.
///
/// A disk is reopened if it says that it can be. Its power is never cut, since nobody but its owner could: a flush that
/// makes nothing durable is not found here.
///
/// # Errors
///
/// The first divergence, shrunk.
pub fn search<S: Subject>(
    geometry: Geometry,
    seed: u64,
    scripts: u64,
    mut make: impl FnMut() -> S,
) -> Result<Summary, Finding> {
    let mut attempt = |script: &Script| -> Result<Summary, Box<Divergence>> {
        let mut subject = make();
        let (mut oracle, _) = Oracle::new(&script.shape);
        oracle.declare_unmap(subject.unmap_behavior());
        run(script, &mut subject, &mut oracle, &mut |_| ())
    };
    let shape = Shape::own(geometry);
    let profile = Profile::new(Suite::Layers);
    let mut total = Summary::default();
    for case in 0..scripts {
        let ops = Script::generate_ops(&profile, &shape, &mut SeedChoices::new(seed, case));
        let script = Script { shape: shape.clone(), lines: ops.into_iter().map(Line::from).collect() };
        match attempt(&script) {
            Ok(summary) => total.add(&summary),
            Err(found) => {
                // The disk is what it is: a script for another geometry would be for another disk.
                let divergence = minimize(found, &mut |script| match script.shape == shape {
                    true => attempt(script).map(drop),
                    false => Ok(()),
                });
                return Err(Finding { case, divergence });
            }
        }
    }
    Ok(total)
}
