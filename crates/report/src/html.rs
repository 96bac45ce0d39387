//! Pieces of a page: tables, legends, and values as they are shown.

use std::fmt::Write;

use oddsmith_domain::Usdc;

use crate::chart::{Ink, civil, escape};

/// The page's own style. Colours are variables, so that charts and text are readable in light, in dark and on paper.
const STYLE: &str = include_str!("page.css");

// Writing to a String cannot fail.
macro_rules! put {
    ($out:expr, $($rest:tt)*) => {
        let _ = write!($out, $($rest)*);
    };
}

pub(crate) use put;

/// A page around its body.
pub(crate) fn whole(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escape(title)
    )
}

pub(crate) fn section(out: &mut String, title: &str, words: &str) {
    put!(out, "<h2>{}</h2>\n", escape(title));
    if !words.is_empty() {
        put!(out, "<p>{}</p>\n", escape(words));
    }
}

/// A table; the first column is text, the others are numbers.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut out = "<div class=\"scroll\"><table>\n".to_owned();
    columns(head, &mut out);
    out += "<tbody>\n";
    for row in rows {
        out += "<tr>";
        for cell in row {
            put!(out, "<td>{}</td>", escape(cell));
        }
        out += "</tr>\n";
    }
    out + "</tbody></table></div>\n"
}

/// A table with more columns than a phone is wide: where there is no room for it, its rows become cards, each value beside its column's
/// name. The first and the last column are text, the others are numbers.
pub(crate) fn cards(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut out = "<div class=\"scroll\"><table class=\"cards\">\n".to_owned();
    columns(head, &mut out);
    out += "<tbody>\n";
    for row in rows {
        out += "<tr>";
        for (name, cell) in head.iter().zip(row) {
            put!(out, "<td data-name=\"{}\">{}</td>", escape(name), escape(cell));
        }
        out += "</tr>\n";
    }
    out + "</tbody></table></div>\n"
}

fn columns(head: &[&str], out: &mut String) {
    *out += "<thead><tr>";
    for name in head {
        put!(out, "<th>{}</th>", escape(name));
    }
    *out += "</tr></thead>\n";
}

/// The names of lines with their colours.
pub(crate) fn legend(entries: &[(String, Ink)]) -> String {
    let mut out = "<p class=\"legend\">".to_owned();
    for (name, ink) in entries {
        put!(out, "<span><i style=\"background:{}\"></i>{}</span> ", ink.variable(), escape(name));
    }
    out + "</p>\n"
}

pub(crate) fn short(id: &str) -> String {
    id.trim_start_matches("0x").chars().take(12).collect()
}

/// A moment in words.
pub(crate) fn moment(at_s: f64) -> String {
    let seconds = at_s.max(0.0) as u64;
    let (year, month, day) = civil(seconds / 86_400);
    let (hours, minutes) = (seconds / 3_600 % 24, seconds / 60 % 60);
    format!("{year}-{month:02}-{day:02} {hours:02}:{minutes:02}:{:02} UTC", seconds % 60)
}

pub(crate) fn cents(amount: Usdc) -> String {
    let value = amount.to_f64();
    // An amount of less than half a cent is shown whole.
    if amount.is_zero() || value.abs() >= 0.005 { format!("{value:.2}") } else { amount.to_string() }
}

/// So many of something.
pub(crate) fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// A number with some four digits.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 1_000.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}
