//! Reads a description; what is wrong is pointed at.

use std::borrow::Cow;
use std::ops::Range;
use std::str::FromStr;

use super::{Description, MAX_LAYERS, Start, length};
use crate::error::{Error, ErrorKind, Result};

impl FromStr for Description {
    type Err = Error;

    /// # Errors
    ///
    /// `Syntax`, with the place, the part that is wrong, and what was expected.
    fn from_str(text: &str) -> Result<Self> {
        Parser { text, at: 0 }.disk(MAX_LAYERS)
    }
}

/// What a word is, which tells where it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// A path with nothing but options behind it.
    Last,
    /// A path with a disk behind it.
    Inner,
    /// The key of a cache.
    Key,
}

/// The word as it has to be written.
pub(super) fn quote(word: &str, kind: Word) -> Cow<'_, str> {
    let behind = if kind == Word::Last { "" } else { ":" };
    let text = format!("{word}{behind}");
    // Asking the reader, rather than knowing the rules a second time.
    match (Parser { text: &text, at: 0 }).word(kind) {
        Ok(read) if read == word => Cow::Borrowed(word),
        _ => Cow::Owned(format!("\"{}\"", word.replace('"', "\"\""))),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    /// A disk of at most `layers` layers, up to the end of the text.
    fn disk(&mut self, layers: usize) -> Result<Description> {
        let start = self.at;
        if layers == 0 {
            return self.refuse(start..self.text.len(), &format!("the disk has more than {MAX_LAYERS} layers"));
        }
        if self.rest().is_empty() {
            return self.refuse(start..start, "a disk is expected, such as mem:64M, sql:disk.dbhd or disk.img");
        }
        match self.scheme() {
            Some("mem") => Ok(Description::Mem { len: self.length()? }),
            Some("memdiff") => Ok(Description::MemDiff { below: self.below(layers)? }),
            Some("sql") => self.sql(),
            Some("sqldiff") => self.sql_diff(layers),
            Some("autocache") => self.auto_cache(layers),
            Some("file") | None => self.file(),
            Some(_) => {
                let known = Description::SCHEMES.join(", ");
                let what =
                    format!("unknown scheme; {known} are known, and a path that looks like one is written ./path");
                self.refuse(start..self.at, &what)
            }
        }
    }

    fn sql(&mut self) -> Result<Description> {
        let path = self.word(Word::Last)?;
        if !self.takes(";") {
            return self.end(Description::Sql { path, create: None });
        }
        let option = self.at..self.text.len();
        match self.takes("create=") {
            true => Ok(Description::Sql { path, create: Some(self.length()?) }),
            false => self.refuse(option, "unknown option; create=<length> is known"),
        }
    }

    fn sql_diff(&mut self, layers: usize) -> Result<Description> {
        let path = self.word(Word::Inner)?;
        let mut start = Start::Open;
        if self.takes(";") {
            let option = self.at..self.at + self.up_to(&[':']).len();
            if &self.text[option.clone()] != "create" {
                return self.refuse(option, "unknown option; create is known");
            }
            self.at = option.end;
            start = Start::Create;
        }
        self.colon()?;
        Ok(Description::SqlDiff { path, start, below: self.below(layers)? })
    }

    fn auto_cache(&mut self, layers: usize) -> Result<Description> {
        let key = self.word(Word::Key)?;
        self.colon()?;
        Ok(Description::AutoCache { key, below: self.below(layers)? })
    }

    fn file(&mut self) -> Result<Description> {
        let path = self.word(Word::Last)?;
        self.end(Description::File { path })
    }

    fn below(&mut self, layers: usize) -> Result<Box<Description>> {
        if self.rest().is_empty() {
            return self.refuse(self.at..self.at, "the disk below is expected");
        }
        self.disk(layers - 1).map(Box::new)
    }

    /// Takes the scheme and its colon, if the text begins with one: a path has a mark of a path before any colon.
    fn scheme(&mut self) -> Option<&'a str> {
        let (scheme, _) = self.rest().split_once(':')?;
        if scheme.contains(['/', '\\', '.', ';', '"']) || drive(self.rest()) > 0 {
            return None;
        }
        self.at += scheme.len() + 1;
        Some(scheme)
    }

    /// Takes a word, which may be quoted.
    fn word(&mut self, kind: Word) -> Result<String> {
        if self.takes("\"") {
            return self.quoted();
        }
        let start = self.at;
        let ends: &[char] = match kind {
            Word::Last => &[';'],
            Word::Inner => &[';', ':'],
            Word::Key => &[':'],
        };
        self.at += if kind == Word::Inner { drive(self.rest()) } else { 0 };
        self.at += self.up_to(ends).len();
        let word = &self.text[start..self.at];
        if word.is_empty() && kind != Word::Key {
            return self.refuse(start..start, "a path is expected");
        }
        if kind != Word::Last && Description::SCHEMES.contains(&word) {
            let what = match kind {
                Word::Key => "a key is expected before the disk; none is written `autocache::`",
                Word::Last | Word::Inner => "the path of a layer is expected before the disk below",
            };
            return self.refuse(start..self.at, &format!("{what} (one that is named like a scheme is quoted)"));
        }
        Ok(word.to_owned())
    }

    /// The rest of a quoted word, whose first quote has been taken.
    fn quoted(&mut self) -> Result<String> {
        let start = self.at - 1;
        let mut word = String::new();
        loop {
            let part = self.up_to(&['"']);
            word.push_str(part);
            self.at += part.len();
            if !self.takes("\"") {
                return self.refuse(start..self.at, "the quote is not closed");
            }
            if !self.takes("\"") {
                return Ok(word);
            }
            word.push('"');
        }
    }

    /// Nothing may follow a disk that has been read.
    fn end(&mut self, disk: Description) -> Result<Description> {
        match self.rest().is_empty() {
            true => Ok(disk),
            false => {
                let what = "nothing is expected here; a path with a `;` in it is written in double quotes";
                self.refuse(self.at..self.text.len(), what)
            }
        }
    }

    /// Takes the `:` before the disk below.
    fn colon(&mut self) -> Result<()> {
        match self.takes(":") {
            true => Ok(()),
            false if self.rest().is_empty() => {
                let what = "`:` and the disk below are expected (one letter and `:` are a drive, and part of the path)";
                self.refuse(self.at..self.at, what)
            }
            false => self.refuse(self.at..self.text.len(), "`:` and the disk below are expected"),
        }
    }

    /// Takes a length, which goes to the end.
    fn length(&mut self) -> Result<u64> {
        let range = self.at..self.text.len();
        length::parse(self.rest()).or_else(|what| self.refuse(range, what))
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// What comes before the first of `ends`.
    fn up_to(&self, ends: &[char]) -> &'a str {
        let rest = self.rest();
        &rest[..rest.find(ends).unwrap_or(rest.len())]
    }

    /// Takes `part` if it comes next.
    fn takes(&mut self, part: &str) -> bool {
        let found = self.rest().starts_with(part);
        self.at += if found { part.len() } else { 0 };
        found
    }

    fn refuse<T>(&self, part: Range<usize>, what: &str) -> Result<T> {
        let place = match &self.text[part.clone()] {
            "" if part.start == self.text.len() => "at its end".to_owned(),
            wrong => format!("at byte {}, `{}`", part.start, shortened(wrong)),
        };
        let what = format!("the disk description `{}`, {place}: {what}", shortened(self.text));
        Err(Error::new(ErrorKind::Syntax, what))
    }
}

/// How many bytes at the start of a path are a Windows drive.
fn drive(path: &str) -> usize {
    match path.as_bytes() {
        [letter, b':', ..] if letter.is_ascii_alphabetic() => 2,
        _ => 0,
    }
}

/// Text for a sentence: on one line, and not longer than one can read.
fn shortened(text: &str) -> String {
    const MOST: usize = 120;
    let one_line = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    let mut short: String = text.chars().take(MOST).map(one_line).collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}
