//! The picture in the README: what a terminal shows, as SVG, made of what the program really prints.

use std::{env, fmt::Write as _, fs};

use crate::common::{program, repository};

const PATH: &str = "docs/check.svg";

/// The size of a character, in pixels.
const CELL: (f64, f64) = (8.0, 19.0);
const MARGIN: f64 = 20.0;

/// What a run of characters looks like: SGR 1, and the color of SGR 30 to 37 and 90 to 97.
#[derive(Clone, Copy, Default, PartialEq)]
struct Style {
    bold: bool,
    color: Option<usize>,
}

impl Style {
    fn apply(&mut self, codes: &str) {
        for code in codes.split(';').map(|it| it.parse().unwrap_or(0)) {
            match code {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.color = Some(0),
                4 | 24 => {}
                22 => self.bold = false,
                30..=37 => self.color = Some(code - 30),
                90..=97 => self.color = Some(code - 90),
                39 => self.color = None,
                other => panic!("the picture does not know SGR {other}"),
            }
        }
    }

    fn attributes(self) -> String {
        // Those of a dark theme, black to white.
        const COLORS: [&str; 8] = [
            "#6e7681", "#ff7b72", "#7ee787", "#e3b341", "#79c0ff", "#d2a8ff", "#76e3ea", "#f0f6fc",
        ];
        let weight = if self.bold { r#" font-weight="bold""# } else { "" };
        let color = self.color.map_or("#e6edf3", |it| COLORS[it]);
        format!(r#" fill="{color}"{weight}"#)
    }
}

/// The runs of equal style in `text`, by line; links are left out.
fn runs(text: &str) -> Vec<Vec<(Style, String)>> {
    let mut style = Style::default();
    let mut lines = vec![Vec::new()];
    let mut rest = text;
    while let Some(at) = rest.find(['\x1b', '\n']) {
        let (before, special) = rest.split_at(at);
        let last = lines.len() - 1;
        if !before.is_empty() {
            lines[last].push((style, before.to_owned()));
        }
        rest = match special.strip_prefix("\x1b[") {
            Some(sequence) => {
                let (codes, after) = sequence.split_once('m').expect("an SGR sequence");
                style.apply(codes);
                after
            }
            None if special.starts_with('\n') => {
                lines.push(Vec::new());
                &special[1..]
            }
            None => special.split_once("\x1b\\").expect("an OSC sequence").1,
        };
    }
    lines
}

/// A window with `lines` in it.
fn picture(lines: &[Vec<(Style, String)>]) -> String {
    let width =
        |line: &Vec<(Style, String)>| line.iter().map(|(_, it)| it.chars().count()).sum::<usize>();
    let columns = lines.iter().map(width).max().unwrap_or(0);
    #[expect(clippy::cast_precision_loss, reason = "they are few")]
    let (x, y) = (
        |column: usize| MARGIN + column as f64 * CELL.0,
        |line: usize| MARGIN + (line as f64 + 0.75) * CELL.1,
    );
    let (right, bottom) = (x(columns) + MARGIN, y(lines.len()) + MARGIN - 0.75 * CELL.1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {right} {bottom}\" \
         width=\"{right}\" height=\"{bottom}\" font-size=\"13.3\" \
         font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\">\n\
         <title>metrics-server-lint check</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>\n"
    );
    for (index, line) in lines.iter().enumerate() {
        let mut column = 0;
        for (style, text) in line {
            let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
            let length = text.chars().count();
            // Every run has its place, so that the columns agree in whatever font there is.
            if !text.trim().is_empty() {
                let _ = writeln!(
                    svg,
                    "<text xml:space=\"preserve\" x=\"{}\" y=\"{}\" textLength=\"{}\" \
                     lengthAdjust=\"spacingAndGlyphs\"{}>{escaped}</text>",
                    x(column),
                    y(index),
                    x(length) - MARGIN,
                    style.attributes(),
                );
            }
            column += length;
        }
    }
    svg + "</svg>\n"
}

#[test]
fn the_picture_shows_what_is_printed() {
    let scenario = repository().join("testdata/flux-platform");
    let command = "\x1b[32m$\x1b[0m \x1b[1mmetrics-server-lint check\x1b[0m\n\n".to_owned();
    let output = program("check --color always", &[&scenario]).out;
    let mut lines = runs(&(command + &output));
    while lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    let svg = picture(&lines);
    let path = repository().join(PATH);
    if fs::read_to_string(&path).is_ok_and(|it| it == svg) {
        return;
    }
    assert!(env::var_os("UPDATE").is_some(), "{PATH} is old; `UPDATE=1 cargo test` draws it");
    fs::write(path, svg).unwrap();
}
