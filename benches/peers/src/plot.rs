//! The table's ratios as bars, on a scale of powers of ten.

use std::error::Error;
use std::path::Path;

use plotters::backend::SVGBackend;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::race::Row;

const WIDTH: u32 = 1280;
/// Of a bar and what is between two.
const BAR: u32 = 24;
/// Above and below the bars.
const AXIS: u32 = 50;
/// Left of the bars, for what they are.
const LABELS: i32 = 640;
/// Right of them, for what does not fit into the longest.
const NUMBERS: i32 = 70;

const FASTER: RGBColor = RGBColor(46, 125, 90);
const SLOWER: RGBColor = RGBColor(176, 58, 46);

/// Draws a bar for each row that has a ratio, from 1 to how much better kwalk is.
pub(crate) fn draw(path: &Path, rows: &[Row]) -> Result<(), Box<dyn Error>> {
    let rows: Vec<_> = rows.iter().filter(|row| row.ratio.is_finite() && row.ratio > 0.0).collect();
    let ratio = |row: &&Row| row.ratio;
    let powers = |pick: fn(f64, f64) -> f64| rows.iter().map(ratio).fold(1.0, pick).log10();
    let (low, high) = (powers(f64::min).floor() as i32, powers(f64::max).ceil().max(1.0) as i32);
    let height = BAR * rows.len() as u32 + 2 * AXIS;
    let root = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;

    let span = f64::from(WIDTH as i32 - LABELS - NUMBERS) / f64::from(high - low);
    let x = |ratio: f64| LABELS + ((ratio.log10() - f64::from(low)) * span) as i32;
    let (top, bottom) = (AXIS as i32, (height - AXIS) as i32);
    let style =
        |horizontal, size: i32| TextStyle::from(("sans-serif", size)).pos(Pos::new(horizontal, VPos::Center));
    root.draw(&Text::new(
        "how many times as good kwalk is as what is named last, in powers of ten",
        (LABELS - 8, 16),
        style(HPos::Left, 17),
    ))?;
    for power in low..=high {
        let at = LABELS + (f64::from(power - low) * span) as i32;
        let colour = if power == 0 { BLACK } else { RGBColor(205, 205, 205) };
        root.draw(&PathElement::new([(at, top), (at, bottom)], colour))?;
        let label = if power < 0 {
            format!("1/{}", 10_u64.pow(power.unsigned_abs()))
        } else {
            10_u64.pow(power as u32).to_string()
        };
        for y in [top - 14, bottom + 14] {
            root.draw(&Text::new(label.clone(), (at, y), style(HPos::Center, 15)))?;
        }
    }
    for (nth, row) in rows.iter().enumerate() {
        let y = top + (nth as u32 * BAR + BAR / 2) as i32;
        let half = BAR as i32 / 2 - 4;
        let end = x(row.ratio);
        let colour = if row.ratio < 1.0 { SLOWER } else { FASTER };
        let (from, to) = (end.min(x(1.0)), end.max(x(1.0)));
        root.draw(&Rectangle::new([(from, y - half), (to, y + half)], colour.filled()))?;
        let what = format!("{} : {}", row.what.replace('`', ""), row.peer);
        root.draw(&Text::new(what, (LABELS - 8, y), style(HPos::Right, 16)))?;
        root.draw(&Text::new(row.times(), (to + 5, y), style(HPos::Left, 15)))?;
    }
    root.present()?;
    Ok(())
}
