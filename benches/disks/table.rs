//! A table, for a terminal and for Markdown.

use std::fmt::Write;

/// The first column is text, the others figures.
pub(crate) struct Table {
    pub title: String,
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn text(&self) -> String {
        let widths: Vec<usize> = (0..self.header.len())
            .map(|column| self.lines().map(|line| line[column].chars().count()).max().unwrap_or(0))
            .collect();
        let mut text = format!("{}\n", self.title);
        for line in self.lines() {
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                let pad = " ".repeat(width - cell.chars().count());
                text += &if column == 0 { format!("  {cell}{pad}") } else { format!("   {pad}{cell}") };
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }

    pub(crate) fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let mut text = String::new();
        let _ = write!(text, "{}\n\n{}|---|", self.title, line(&self.header));
        text += &"--:|".repeat(self.header.len() - 1);
        text.push('\n');
        for row in &self.rows {
            text += &line(row);
        }
        text
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.header).chain(&self.rows)
    }
}
