//! A disk with a volatile write cache, which lives nowhere in particular: nothing strikes within an operation.

use std::collections::HashMap;
use std::ops::Range;

use disklayer_sqlite::error::{Error, ErrorKind, Result};
use disklayer_sqlite::geometry::Geometry;
use disklayer_sqlite::harness::{Powered, Subject, prove_own, search};
use disklayer_sqlite::layer::UnmapBehavior;
use disklayer_sqlite::request::Durability;
use disklayer_sqlite::script::Script;
use disklayer_sqlite::strike::{Keeps, Lost};

use super::{SECTOR, found, geometry, passes};

struct Cached {
    manner: Manner,
    durable: HashMap<u64, Vec<u8>>,
    /// Single sectors that were written, and ranges that were unmapped, the oldest first.
    cached: Vec<(Range<u64>, Option<Vec<u8>>)>,
    ghosts: Vec<(Range<u64>, Option<Vec<u8>>)>,
}

#[derive(Clone, Copy, Debug)]
struct Manner {
    geometry: Geometry,
    keeps: Keeps,
    unmap: UnmapBehavior,
    wrong: Option<Careless>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Careless {
    FlushesNothing,
    FlushesAllButTheLast,
    TakesFuaForPlain,
    /// What comes later is there, and what came earlier is not.
    Reorders,
    /// A sector that nobody has written is lost with the others.
    LosesANeighbour,
    /// What was gone when the process had died is there when the power comes back.
    Resurrects,
    /// So it does where sectors are unmapped in the cache.
    TakesFuaForPlainWhereUnmapped,
    DoesNotOpen,
}

impl Cached {
    fn new(manner: Manner) -> Self {
        Self { manner, durable: HashMap::new(), cached: Vec::new(), ghosts: Vec::new() }
    }

    fn settle(&mut self, is_kept: impl Fn(usize) -> bool) {
        for (nth, (range, data)) in std::mem::take(&mut self.cached).into_iter().enumerate() {
            match (is_kept(nth), data) {
                (true, Some(data)) => drop(self.durable.insert(range.start, data)),
                (true, None) => self.durable.retain(|at, _| !range.contains(at)),
                (false, _) if self.manner.wrong == Some(Careless::LosesANeighbour) => {
                    self.durable.remove(&range.start.saturating_sub(1));
                }
                (false, _) => {}
            }
        }
    }
}

impl Subject for Cached {
    fn read(&mut self, sector: u64, buf: &mut [u8]) -> Result<()> {
        let range = self.manner.geometry.check_buffer(sector, buf.len())?;
        for (at, buf) in range.zip(buf.chunks_exact_mut(SECTOR)) {
            let cached = self.cached.iter().rev().find(|(range, _)| range.contains(&at));
            match cached.map_or(self.durable.get(&at), |(_, data)| data.as_ref()) {
                Some(data) => buf.copy_from_slice(data),
                None => buf.fill(0),
            }
        }
        Ok(())
    }

    fn write(&mut self, sector: u64, data: &[u8], durability: Durability) -> Result<()> {
        let range = self.manner.geometry.check_buffer(sector, data.len())?;
        let sectors = range.clone().zip(data.chunks_exact(SECTOR));
        self.ghosts.clear();
        let hides = |old: &Range<u64>| old.start <= range.start && range.end <= old.end;
        let is_unmapped = self.cached.iter().any(|(old, data)| data.is_none() && hides(old));
        let durability = match self.manner.wrong {
            Some(Careless::TakesFuaForPlain) => Durability::Flushed,
            Some(Careless::TakesFuaForPlainWhereUnmapped) if is_unmapped => Durability::Flushed,
            _ => durability,
        };
        match (durability, self.manner.keeps) {
            (Durability::Fua, Keeps::EachSector) => {
                self.durable.extend(sectors.map(|(at, data)| (at, data.to_vec())));
                // An unmap that is cached would undo it.
                let rest = |(old, data): (Range<u64>, _)| {
                    let parts = [old.start..old.end.min(range.start), old.start.max(range.end)..old.end];
                    parts.into_iter().filter(|part| !part.is_empty()).map(move |part| (part, Clone::clone(&data)))
                };
                self.cached = std::mem::take(&mut self.cached).into_iter().flat_map(rest).collect();
            }
            _ => {
                self.cached.extend(sectors.map(|(at, data)| (at..at + 1, Some(data.to_vec()))));
                if durability == Durability::Fua {
                    self.flush()?;
                }
            }
        }
        Ok(())
    }

    fn unmap(&mut self, sector: u64, count: u64) -> Result<()> {
        let range = self.manner.geometry.check_range(sector, count)?;
        self.ghosts.clear();
        match self.manner.unmap {
            UnmapBehavior::Zeroes => self.cached.push((range, None)),
            UnmapBehavior::Unspecified => {
                self.cached.push((range.start..range.start + (range.end - range.start) / 2, None))
            }
            UnmapBehavior::Ignored => {}
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.ghosts.clear();
        let last = self.cached.len().saturating_sub(1);
        match self.manner.wrong {
            Some(Careless::FlushesNothing) => {}
            Some(Careless::FlushesAllButTheLast) => self.settle(|nth| nth < last),
            _ => self.settle(|_| true),
        }
        Ok(())
    }

    fn unmap_behavior(&self) -> UnmapBehavior {
        self.manner.unmap
    }

    fn powered(&mut self) -> Option<&mut dyn Powered> {
        Some(self)
    }
}

impl Powered for Cached {
    fn cut(&mut self, lost: &Lost) {
        match (lost, self.manner.keeps, self.manner.wrong) {
            (Lost::Nothing, .., Some(Careless::Resurrects)) => self.ghosts = std::mem::take(&mut self.cached),
            (.., Some(Careless::Resurrects)) => {
                self.cached = std::mem::take(&mut self.ghosts);
                self.settle(|_| true);
            }
            // The system outlives the process, and keeps what it has of it until it is lost in its turn.
            (Lost::Nothing, ..) => {}
            (_, Keeps::EachSector, _) | (.., Some(Careless::Reorders)) => {
                self.settle(|nth| !lost.takes(nth as u32 + 1));
            }
            (_, Keeps::Prefix, _) => self.settle(|_| false),
        }
    }

    fn restart(&mut self) -> Result<()> {
        match self.manner.wrong {
            Some(Careless::DoesNotOpen) => Err(Error::new(ErrorKind::Corrupt, "it was not closed")),
            _ => Ok(()),
        }
    }

    fn keeps(&self) -> Keeps {
        self.manner.keeps
    }
}

#[test]
fn a_disk_may_lose_what_was_not_flushed_and_nothing_else() {
    use Careless::{DoesNotOpen, FlushesAllButTheLast, FlushesNothing, LosesANeighbour, TakesFuaForPlain};
    use Careless::{Reorders, Resurrects, TakesFuaForPlainWhereUnmapped};
    use UnmapBehavior::{Ignored, Unspecified, Zeroes};
    for (keeps, unmap) in [Keeps::EachSector, Keeps::Prefix]
        .into_iter()
        .flat_map(|keeps| [Zeroes, Ignored, Unspecified].into_iter().map(move |unmap| (keeps, unmap)))
    {
        let manner = Manner { geometry: geometry(), keeps, unmap, wrong: None };
        let summary = passes(geometry(), || Cached::new(manner));
        assert!(summary.states.counts().any(|(states, _)| states > 4), "{manner:?} had no choice");
        let mut wrongs = vec![FlushesNothing, FlushesAllButTheLast, TakesFuaForPlain, LosesANeighbour, DoesNotOpen];
        wrongs.extend((keeps == Keeps::Prefix).then_some([Reorders, Resurrects]).into_iter().flatten());
        wrongs.extend((unmap != Ignored).then_some(TakesFuaForPlainWhereUnmapped));
        for wrong in wrongs {
            let manner = Manner { wrong: Some(wrong), ..manner };
            found(manner, 5, || Cached::new(manner));
        }
    }
}

#[test]
fn a_fua_write_settles_what_an_unmap_had_left_open() {
    let script = "disk 512; layer own 40; unmap 0 2; write 0 1 stamp 1 fua; read 0 1 ! cut after 0 writes, lose all";
    let script: Script = script.parse().unwrap();
    let (keeps, unmap) = (Keeps::EachSector, UnmapBehavior::Unspecified);
    for wrong in [None, Some(Careless::TakesFuaForPlainWhereUnmapped)] {
        let mut disk = Cached::new(Manner { geometry: geometry(), keeps, unmap, wrong });
        assert_eq!(prove_own(&script, &mut disk).is_err(), wrong.is_some(), "{wrong:?}");
    }
}

#[test]
fn the_power_of_a_huge_disk_is_cut_as_well() {
    let geometry = Geometry::new(1 << 40, SECTOR as u32).unwrap();
    for keeps in [Keeps::EachSector, Keeps::Prefix] {
        for unmap in [UnmapBehavior::Zeroes, UnmapBehavior::Ignored, UnmapBehavior::Unspecified] {
            let manner = Manner { geometry, keeps, unmap, wrong: None };
            passes(geometry, || Cached::new(manner));
            let manner = Manner { wrong: Some(Careless::FlushesAllButTheLast), ..manner };
            search(geometry, 5, 4000, || Cached::new(manner)).expect_err("a flush that forgets something");
        }
    }
}
