//! Charts as SVG whose colours are those of the page around them.
//!
//! Every chart is drawn twice, for a wide and for a narrow page: scaled down, its letters could not be read.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// What something is drawn with. The page says which colour that is, by light and dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Text,
    Grid,
    Gain,
    Loss,
    /// One of the lines: the first is the most important.
    Line(usize),
}

/// How many inks lines have.
pub(crate) const LINES: usize = 5;

impl Ink {
    /// A colour that nobody uses; it is replaced by [`Ink::variable`].
    const fn stand_in(self) -> RGBColor {
        match self {
            Ink::Text => RGBColor(1, 0, 1),
            Ink::Grid => RGBColor(1, 0, 2),
            Ink::Gain => RGBColor(1, 0, 3),
            Ink::Loss => RGBColor(1, 0, 4),
            Ink::Line(n) => RGBColor(1, 0, 5 + (n % LINES) as u8),
        }
    }

    /// The page's variable.
    pub(crate) fn variable(self) -> String {
        match self {
            Ink::Text => "var(--text)".to_owned(),
            Ink::Grid => "var(--grid)".to_owned(),
            Ink::Gain => "var(--gain)".to_owned(),
            Ink::Loss => "var(--loss)".to_owned(),
            Ink::Line(n) => format!("var(--line{})", n % LINES),
        }
    }
}

/// A line.
pub(crate) struct Line {
    pub(crate) ink: Ink,
    pub(crate) points: Vec<(f64, f64)>,
    /// Whether the value stays what it is until the next point.
    pub(crate) steps: bool,
    /// Until when the last value of such a line holds; to the end of the chart if not given.
    pub(crate) until: Option<f64>,
}

/// Points that are marked: triangles that point up or down.
pub(crate) struct Marks {
    pub(crate) ink: Ink,
    pub(crate) up: bool,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Lines and marks over time.
#[derive(Default)]
pub(crate) struct Chart {
    pub(crate) lines: Vec<Line>,
    pub(crate) marks: Vec<Marks>,
    /// Whether zero is always to be seen.
    pub(crate) zero: bool,
    /// Time is counted from this moment, not by the clock.
    pub(crate) elapsed: Option<f64>,
    /// The time that is shown; that of the points if not given.
    pub(crate) span: Option<(f64, f64)>,
}

/// Bars with names, of amounts above and below zero.
pub(crate) struct Bars<'a> {
    pub(crate) rows: &'a [(String, f64)],
    /// Decimals of the amounts.
    pub(crate) decimals: usize,
}

const WIDE: u32 = 1_040;
const NARROW: u32 = 370;

type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Draws for both widths; `title` is for those who cannot see it.
fn both(
    title: &str,
    height: [u32; 2],
    draw: impl Fn(&DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Drawn,
) -> String {
    let mut out = String::new();
    for (class, width, height) in [("wide", WIDE, height[0]), ("narrow", NARROW, height[1])] {
        let mut svg = String::new();
        let root = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
        let drawn = draw(&root).and_then(|()| Ok(root.present()?));
        drop(root);
        match drawn {
            Ok(()) => out += &dress(&svg, class, title, (width, height)),
            Err(error) => {
                out += &format!(
                    "<p class=\"{class}\">{} could not be drawn: {}</p>\n",
                    escape(title),
                    escape(&error.to_string())
                )
            }
        }
    }
    out
}

/// Gives a drawing the page's colours and size.
fn dress(svg: &str, class: &str, title: &str, (width, height): (u32, u32)) -> String {
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    let head = format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">",
        escape(title)
    );
    let mut out = head + body;
    let inks = [Ink::Text, Ink::Grid, Ink::Gain, Ink::Loss].into_iter().chain((0..LINES).map(Ink::Line));
    for ink in inks {
        let RGBColor(r, g, b) = ink.stand_in();
        out = out.replace(&format!("#{r:02X}{g:02X}{b:02X}"), &ink.variable());
    }
    out + "\n"
}

/// A text as it may stand in a page.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c => out.push(c),
        }
    }
    out
}

fn text(size: i32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&Ink::Text.stand_in())
}

impl Chart {
    /// Draws it.
    pub(crate) fn draw(&self, title: &str) -> String {
        let points = || {
            let lines = self.lines.iter().flat_map(|line| &line.points);
            lines.chain(self.marks.iter().flat_map(|marks| &marks.points))
        };
        if points().next().is_none() {
            return "<p class=\"none\">nothing to draw</p>\n".to_owned();
        }
        let x = range(points().map(|p| p.0).chain(self.span.into_iter().flat_map(|(a, b)| [a, b])), false, 0.0);
        let y = range(points().map(|p| p.1), self.zero, 0.06);
        both(title, [300, 230], |root| self.on(root, x, y))
    }

    fn on(&self, root: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>, x: (f64, f64), y: (f64, f64)) -> Drawn {
        let narrow = root.dim_in_pixel().0 < 600;
        let mut chart = ChartBuilder::on(root)
            .margin(6)
            .margin_right(if narrow { 14 } else { 24 })
            .x_label_area_size(26)
            .y_label_area_size(if narrow { 52 } else { 64 })
            .build_cartesian_2d(x.0..x.1, y.0..y.1)?;
        let (grid, elapsed) = (Ink::Grid.stand_in(), self.elapsed);
        chart
            .configure_mesh()
            .x_labels(if narrow { 3 } else { 7 })
            .y_labels(if narrow { 5 } else { 6 })
            .light_line_style(TRANSPARENT)
            .bold_line_style(grid)
            .axis_style(grid)
            .label_style(text(15))
            .x_label_formatter(&|at| elapsed.map_or_else(|| clock(*at, x.1 - x.0), |from| lasted(*at - from)))
            .y_label_formatter(&|value| amount(*value, y.1 - y.0))
            .draw()?;
        for line in &self.lines {
            let points = if line.steps { stairs(&line.points, line.until.unwrap_or(x.1)) } else { line.points.clone() };
            chart.draw_series(LineSeries::new(points, line.ink.stand_in().stroke_width(2)))?;
        }
        for marks in &self.marks {
            let (ink, up) = (marks.ink.stand_in().filled(), if marks.up { 1 } else { -1 });
            let size = if narrow { 4 } else { 5 };
            chart.draw_series(marks.points.iter().map(|point| {
                let corners = vec![(-size, size * up), (size, size * up), (0, -size * up)];
                EmptyElement::at(*point) + Polygon::new(corners, ink)
            }))?;
        }
        Ok(())
    }
}

impl Bars<'_> {
    /// Draws them.
    pub(crate) fn draw(&self, title: &str) -> String {
        let height = 24 * self.rows.len() as u32 + 12;
        both(title, [height, height], |root| self.on(root))
    }

    fn on(&self, root: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Drawn {
        let width = root.dim_in_pixel().0 as i32;
        let (names, values) = (if width < 600 { 130 } else { 190 }, 92);
        let room = f64::from(width - names - values - 16);
        let (low, high) = range(self.rows.iter().map(|row| row.1), true, 0.0);
        let at = |value: f64| names + 8 + ((value - low) / (high - low) * room) as i32;
        let last = 24 * self.rows.len() as i32 + 4;
        root.draw(&PathElement::new(vec![(at(0.0), 4), (at(0.0), last)], Ink::Grid.stand_in()))?;
        for (row, (name, value)) in (0..).zip(self.rows) {
            let y = 24 * row + 6;
            let ink = if *value < 0.0 { Ink::Loss } else { Ink::Gain };
            let (a, b) = (at(value.min(0.0)), at(value.max(0.0)));
            root.draw(&Rectangle::new([(a, y), (b.max(a + 1), y + 16)], ink.stand_in().filled()))?;
            let right = text(15).pos(Pos::new(HPos::Right, VPos::Center));
            root.draw(&Text::new(name.clone(), (names, y + 8), right.clone()))?;
            root.draw(&Text::new(format!("{value:+.*}", self.decimals), (width - 6, y + 8), right))?;
        }
        Ok(())
    }
}

/// Brackets with names: for each row the profits under the assumptions, the most pessimistic first.
pub(crate) struct Brackets<'a> {
    pub(crate) rows: &'a [(String, Vec<f64>)],
}

impl Brackets<'_> {
    /// Draws them.
    pub(crate) fn draw(&self, title: &str) -> String {
        let height = 30 * self.rows.len() as u32 + 40;
        both(title, [height, height], |root| self.on(root))
    }

    /// A line from the lowest to the highest, and on it a bar for each assumption, the first one on top.
    fn on(&self, root: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Drawn {
        let width = root.dim_in_pixel().0 as i32;
        let names = if width < 600 { 120 } else { 190 };
        let room = f64::from(width - names - 40);
        let (low, high) = range(self.rows.iter().flat_map(|row| row.1.iter().copied()), true, 0.04);
        let at = |value: f64| names + 14 + ((value - low) / (high - low) * room) as i32;
        let last = 30 * self.rows.len() as i32 + 6;
        root.draw(&PathElement::new(vec![(at(0.0), 4), (at(0.0), last)], Ink::Text.stand_in()))?;
        let middle = text(14).pos(Pos::new(HPos::Center, VPos::Top));
        for value in [low, 0.0, high] {
            let far = value == 0.0 || (at(value) - at(0.0)).abs() > 60;
            if far {
                root.draw(&Text::new(amount(value, high - low), (at(value), last + 8), middle.clone()))?;
            }
        }
        for (row, (name, values)) in (0..).zip(self.rows) {
            let y = 30 * row + 6;
            let right = text(15).pos(Pos::new(HPos::Right, VPos::Center));
            root.draw(&Text::new(name.clone(), (names, y + 12), right))?;
            let (least, most) =
                values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
            if least.is_finite() {
                root.draw(&PathElement::new(vec![(at(least), y + 12), (at(most), y + 12)], Ink::Grid.stand_in()))?;
            }
            for (nth, value) in (0..).zip(values) {
                let ink = [Ink::Loss, Ink::Line(0)].get(nth as usize).copied().unwrap_or(Ink::Gain);
                let top = y + 3 + 6 * nth;
                let x = at(*value);
                root.draw(&Rectangle::new([(x - 4, top), (x + 4, top + 6)], ink.stand_in().filled()))?;
            }
        }
        Ok(())
    }
}

/// The least and the greatest, with room around them; never nothing.
fn range(values: impl Iterator<Item = f64>, zero: bool, room: f64) -> (f64, f64) {
    let first = if zero { (0.0, 0.0) } else { (f64::INFINITY, f64::NEG_INFINITY) };
    let (low, high) = values.filter(|v| v.is_finite()).fold(first, |(low, high), v| (low.min(v), high.max(v)));
    if !low.is_finite() || !high.is_finite() {
        return (0.0, 1.0);
    }
    let span = high - low;
    if span <= low.abs().max(high.abs()) * 1e-12 {
        return (low - 0.5, high + 0.5);
    }
    (low - span * room, high + span * room)
}

/// A line that keeps its value until it changes, to the end of the chart.
fn stairs(points: &[(f64, f64)], end: f64) -> Vec<(f64, f64)> {
    let mut out: Vec<(f64, f64)> = Vec::with_capacity(points.len() * 2 + 1);
    for point in points {
        if let Some(last) = out.last().copied() {
            out.push((point.0, last.1));
        }
        out.push(*point);
    }
    if let Some(last) = out.last().copied() {
        out.push((end, last.1));
    }
    out
}

/// A time of day, or a date for long spans, in UTC.
fn clock(at_s: f64, span_s: f64) -> String {
    let seconds = at_s.max(0.0) as u64;
    let (hours, minutes) = (seconds / 3_600 % 24, seconds / 60 % 60);
    if span_s < 600.0 {
        format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)
    } else if span_s < 100_000.0 {
        format!("{hours:02}:{minutes:02}")
    } else {
        let (_, month, day) = civil(seconds / 86_400);
        format!("{month:02}-{day:02} {hours:02}h")
    }
}

/// Year, month and day of a number of days since the Unix epoch (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
pub(crate) const fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let moved = (5 * day_of_year + 2) / 153;
    let month = if moved < 10 { moved + 3 } else { moved - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day_of_year - (153 * moved + 2) / 5 + 1)
}

/// How long something lasted.
pub(crate) fn lasted(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3_600 => format!("{} min {:02} s", whole / 60, whole % 60),
        3_600..172_800 => format!("{} h {:02} min", whole / 3_600, whole / 60 % 60),
        _ => format!("{} d {:02} h", whole / 86_400, whole / 3_600 % 24),
    }
}

/// A number with as many decimals as its span needs.
fn amount(value: f64, span: f64) -> String {
    let decimals = match span {
        s if s >= 20.0 => 0,
        s if s >= 2.0 => 1,
        s if s >= 0.2 => 2,
        s if s >= 0.02 => 3,
        _ => 4,
    };
    // What rounds to nothing has no sign.
    let text = format!("{value:.decimals$}");
    if text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.')) {
        text.trim_start_matches('-').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_the_pages_and_nothing_else() {
        let line =
            Line { ink: Ink::Line(0), points: vec![(0.0, 1.0), (60.0, 3.0), (90.0, 2.0)], steps: true, until: None };
        let marks = Marks { ink: Ink::Gain, up: true, points: vec![(30.0, 2.0)] };
        let svg = Chart { lines: vec![line], marks: vec![marks], zero: true, ..Chart::default() }.draw("a <chart>");
        assert_eq!(svg.matches("<svg ").count(), 2, "{svg}");
        for part in ["var(--line0)", "var(--gain)", "var(--text)", "var(--grid)", "a &lt;chart&gt;", "00:01:0"] {
            assert!(svg.contains(part), "{part} in {svg}");
        }
        assert!(!svg.contains("#01000") && !svg.contains("http"), "{svg}");
        let rows = [("spread".to_owned(), 2.5), ("fees".to_owned(), -1.0)];
        let bars = Bars { rows: &rows, decimals: 2 }.draw("bars");
        assert!(bars.contains("var(--loss)") && bars.contains("+2.50") && bars.contains("-1.00"), "{bars}");
        assert!(Chart::default().draw("none").contains("nothing to draw"));
    }

    #[test]
    fn ranges_are_never_empty_and_times_are_utc() {
        assert_eq!(range([3.0, 3.0].into_iter(), false, 0.1), (2.5, 3.5));
        assert_eq!(range([f64::NAN].into_iter(), false, 0.1), (0.0, 1.0));
        assert_eq!(range([2.0].into_iter(), true, 0.0), (0.0, 2.0));
        assert_eq!(clock(1_790_000_000.0, 100.0), "14:13:20");
        assert_eq!(clock(1_790_000_000.0, 1e6), "09-21 14h");
        assert_eq!((civil(0), civil(19_782), civil(20_717)), ((1970, 1, 1), (2024, 2, 29), (2026, 9, 21)));
        assert_eq!(
            [lasted(59.4), lasted(61.0), lasted(7_260.0), lasted(200_000.0)],
            ["59 s", "1 min 01 s", "2 h 01 min", "2 d 07 h"]
        );
        assert_eq!(
            (amount(-0.001, 3.0), amount(12.0, 30.0), amount(0.123_46, 0.01)),
            ("0.0".into(), "12".into(), "0.1235".into())
        );
        assert_eq!(stairs(&[(0.0, 1.0), (2.0, 5.0)], 3.0), [(0.0, 1.0), (2.0, 1.0), (2.0, 5.0), (3.0, 5.0)]);
    }
}
