//! The figures of several sides as bars, in SVG: a column of panels for each guide, a bar for each side, and a line from the
//! least to the most.

use std::fmt::Write as _;

use crate::figures::{Figures, Unit};

/// A guide's panels: what was measured, and each side's figures.
pub(crate) struct Column {
    pub(crate) title: String,
    pub(crate) panels: Vec<((&'static str, Unit), Vec<Figures>)>,
}

const WIDTH: f64 = 470.0;
const BAR: f64 = 15.0;
const ROW: f64 = 19.0;
/// Room for the longest bar; its figure stands to the right of it.
const LONGEST: f64 = 300.0;
const TOP: f64 = 70.0;
const MARGIN: f64 = 16.0;
const COLOURS: [&str; 3] = ["#8a8f98", "#2563a8", "#5aa0dc"];

/// Draws them.
pub(crate) fn draw(sides: &[&str], columns: &[Column]) -> String {
    // The last colours are the program's own, whether or not the guide was measured.
    let colours = &COLOURS[COLOURS.len() - sides.len()..];
    let panel = 26.0 + ROW * sides.len() as f64;
    let panels = columns.iter().map(|column| column.panels.len()).max().unwrap_or_default();
    let (width, height) = (WIDTH * columns.len() as f64, TOP + panel * panels as f64 + MARGIN);
    let mut body = String::new();
    let mut add = |line: String| writeln!(body, "{line}").expect("a string takes everything");
    let mut x = MARGIN;
    for (side, colour) in sides.iter().zip(colours) {
        add(format!(r#"<rect x="{x}" y="14" width="12" height="12" fill="{colour}"/>"#));
        add(format!(r#"<text x="{}" y="24">{side}</text>"#, x + 18.0));
        x += 50.0 + 6.6 * side.len() as f64;
    }
    for (at, column) in columns.iter().enumerate() {
        let left = MARGIN + WIDTH * at as f64;
        add(format!(r#"<text x="{left}" y="52" class="title">{}</text>"#, column.title));
        for (row, ((what, unit), figures)) in column.panels.iter().enumerate() {
            let top = TOP + panel * row as f64;
            add(format!(r#"<text x="{left}" y="{}" class="what">{what}</text>"#, top + 12.0));
            let most = figures.iter().filter_map(Figures::most).fold(f64::MIN_POSITIVE, f64::max);
            for (bar, (figures, colour)) in figures.iter().zip(colours).enumerate() {
                let y = top + 18.0 + ROW * bar as f64;
                let (Some(median), Some(least), Some(most_here)) = (figures.median(), figures.least(), figures.most())
                else {
                    continue;
                };
                let at = |figure: f64| LONGEST * figure / most;
                add(format!(
                    r#"<rect x="{left}" y="{y}" width="{:.1}" height="{BAR}" fill="{colour}"/>"#,
                    at(median).max(1.0)
                ));
                let middle = y + BAR / 2.0;
                add(format!(
                    r#"<line x1="{:.1}" x2="{:.1}" y1="{middle}" y2="{middle}"/>"#,
                    left + at(least),
                    left + at(most_here)
                ));
                let end = left + at(most_here.max(median)) + 8.0;
                add(format!(r#"<text x="{end:.1}" y="{}">{}</text>"#, y + 12.0, unit.write(median)));
            }
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#1f2328\">\n\
         <style>.title {{ font-size: 15px; font-weight: bold }} .what {{ font-weight: bold }} line {{ stroke: #1f2328 }}\
         </style>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    )
}
