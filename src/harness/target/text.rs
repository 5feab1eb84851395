//! Parsers: they never panic, and what was printed is read back as it was.

use std::fmt::Debug;
use std::str::FromStr;

use super::Finding;
use crate::error::{Error, ErrorKind};
use crate::harness::caught;
use crate::harness::hostile::Case;
use crate::resolver::Description;
use crate::script::Script;

/// A text that may be a script or a hostile case.
pub(super) fn script(text: &str) -> Result<(), Finding> {
    read_back::<Script>(text, |script| vec![script.to_string(), format!("{script:?}")])?;
    read_back::<Case>(text, |case| vec![case.to_string(), case.to_string().replace('\n', "; ")])
}

/// A text that may be a description.
pub(super) fn description(text: &str) -> Result<(), Finding> {
    read_back::<Description>(text, |description| vec![description.to_string()])
}

/// Reads `text`, prints it in all its forms, and reads each.
fn read_back<T: FromStr<Err = Error> + PartialEq + Debug>(
    text: &str,
    print: impl Fn(&T) -> Vec<String>,
) -> Result<(), Finding> {
    let wrong = |wrong: String| Finding::Text { text: text.to_owned(), wrong };
    let read = caught(|| match text.parse::<T>() {
        Err(error) if error.kind() == ErrorKind::Syntax => Ok(()),
        Err(error) => Err(format!("an error of another kind than Syntax: {error}")),
        Ok(value) => print(&value).into_iter().try_for_each(|printed| match printed.parse::<T>() {
            Ok(again) if again == value => Ok(()),
            Ok(again) => Err(format!("{value:?} is printed as {printed:?}, which is {again:?}")),
            Err(error) => Err(format!("{value:?} is printed as {printed:?}, which is not read back: {error}")),
        }),
    });
    read.unwrap_or_else(|panic| Err(format!("panic: {panic}"))).map_err(wrong)
}
