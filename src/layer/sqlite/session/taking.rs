//! From a file that is open to a layer that may be changed: it is judged first, and nothing is touched before.

use super::Session;
use crate::error::Result;
use crate::layer::sqlite::checkpoint::Whole;
use crate::layer::sqlite::connect::being_replaced;
use crate::layer::sqlite::database::{Database, Left};
use crate::layer::sqlite::glance::Glance;
use crate::layer::sqlite::header::{Header, Said};
use crate::layer::sqlite::schema::{self, Contents};
use crate::layer::sqlite::{Location, Mode, Options, space, structure};
use crate::layer::{Access, Identity};

impl Session {
    /// `made` is the identity of the layer if it has just been made. Says whether all of the log lies in the file.
    pub(super) fn take_over(
        database: &mut Database,
        location: &Location,
        mode: Mode,
        options: &Options,
        made: Option<Identity>,
    ) -> Result<(Contents, Access, Whole)> {
        let files = &*options.file_system;
        let header = match location {
            Location::File(path) => Header::of(database, path, files)?,
            Location::Memory(_) => None,
        };
        let said = header.map_or_else(|| Said::by(&database.conn), |header| Ok(header.said()))?;
        let glance = header.as_ref().and_then(|header| Glance::at(database.file()?, header));
        let contents = schema::inspect_as(&database.conn, said, glance.as_ref())?;
        if header.is_none() {
            schema::check_log(&contents, database.file())?;
        }
        let mut left = Left::Something;
        if let Location::File(path) = location {
            match made {
                // What has just been made has pages that fit together.
                Some(_) if contents.lineage.map(|lineage| lineage.identity()) != made => {
                    return Err(being_replaced(path));
                }
                Some(_) => {}
                None => structure::check(&database.conn, &contents, path, files, header)?,
            }
            left = Header::left(header);
            database.unbound()?;
            database.limit_cache(options.cache_bytes)?;
            database.map(options.mapped_bytes)?;
        }
        let mut whole = database.accept(mode, left)?;
        let access = match contents.logically_read_only {
            _ if mode == Mode::ReadOnly || database.is_readonly() => Access::ReadOnly,
            true => Access::LogicallyReadOnly,
            false => Access::ReadWrite,
        };
        if access != Access::ReadOnly && space::by_parts(&database.conn, header)? {
            whole = Whole::No;
        }
        Ok((contents, access, whole))
    }
}
