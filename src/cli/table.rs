//! Columns of text.

/// On which side the cells of a column are flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// Lines of `rows`, with columns as wide as they need to be, up to the first `aligns.len()`; none ends in spaces.
pub(super) fn table(rows: &[Vec<String>], aligns: &[Align]) -> String {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..aligns.len()).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for ((cell, align), width) in row.iter().zip(aligns).zip(&widths) {
            line += "  ";
            line += &match align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// Columns of numbers beside a column of names.
pub(super) fn name_and_numbers(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let aligns: Vec<Align> = (0..columns).map(|n| if n == 0 { Align::Left } else { Align::Right }).collect();
    table(rows, &aligns)
}

/// A large number as one reads it: `45 M`.
pub(super) fn rounded(number: u64) -> String {
    let in_units_of = |unit: f64, letter| {
        let value = number as f64 / unit;
        if value < 9.95 { format!("{value:.1} {letter}") } else { format!("{value:.0} {letter}") }
    };
    match number {
        0..10_000 => number.to_string(),
        10_000..1_000_000 => in_units_of(1e3, "k"),
        1_000_000..1_000_000_000 => in_units_of(1e6, "M"),
        _ => in_units_of(1e9, "G"),
    }
}

/// A number of things: `1 script`, `3 scripts`.
pub(super) fn counted(number: u64, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}
