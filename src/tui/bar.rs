//! The bar of the file: what is here, what is on its way, and where it is read.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::palette::Palette;
use crate::read::{Cell, FileReport};

const HERE: &str = "━";
const PARTLY: &str = "╸";
const COMING: &str = "╍";
const MISSING: &str = "─";
const READER: &str = "▲";

/// `part` of `whole`, in `steps`; all of nothing is all.
pub(super) fn share(part: u64, whole: u64, steps: u64) -> u64 {
    match whole {
        0 => steps,
        _ => (u128::from(part.min(whole)) * u128::from(steps) / u128::from(whole)) as u64,
    }
}

/// Draws the bar in the area's first row, and the readers below it; on it, if there is no other row.
pub(super) fn draw(file: &FileReport, palette: Palette, area: Rect, buffer: &mut Buffer) {
    let cells = usize::from(area.width);
    for (at, x) in (area.left()..area.right()).enumerate() {
        let (had, coming) = cell(file, at, cells);
        let (symbol, style) = if had >= 1.0 {
            (HERE, palette.here())
        } else if coming > 0.0 {
            (COMING, palette.coming())
        } else if had > 0.0 {
            (PARTLY, palette.here())
        } else {
            (MISSING, palette.dim())
        };
        buffer.set_string(x, area.top(), symbol, style);
    }
    for reader in &file.readers {
        let at = share(reader.head, file.length, u64::from(area.width))
            .min(u64::from(area.width).saturating_sub(1));
        let style = if reader.waiting { palette.waiting() } else { palette.strong() };
        let y = if area.height > 1 { area.top() + 1 } else { area.top() };
        buffer.set_string(area.left() + at as u16, y, READER, style);
    }
}

/// What is had of cell `at` of `cells`, and what is coming. The report may have been made for another number of cells (the
/// terminal was resized), or for none: then what is had is taken to be the beginning.
fn cell(file: &FileReport, at: usize, cells: usize) -> (f32, f32) {
    let given = file.cells.len();
    if given == 0 {
        let had = file.had as f64 / file.length.max(1) as f64 * cells as f64 - at as f64;
        return (had.clamp(0.0, 1.0) as f32, 0.0);
    }
    let from = at * given / cells;
    let to = ((at + 1) * given).div_ceil(cells).max(from + 1);
    let covered = file.cells.get(from..to.min(given)).unwrap_or_default();
    let mean = |of: fn(&Cell) -> f32| covered.iter().map(of).sum::<f32>() / covered.len().max(1) as f32;
    // All of a cell is here only if all of its parts are: a sum of shares may miss that by rounding.
    let had = if covered.iter().all(|cell| cell.had >= 1.0) { 1.0 } else { mean(|cell| cell.had).min(0.99) };
    (had, mean(|cell| cell.coming))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::ReaderReport;

    fn drawn(file: &FileReport, width: u16, height: u16) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        draw(file, Palette { colors: true }, area, &mut buffer);
        let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..height).map(row).collect()
    }

    #[test]
    fn the_bar_is_as_full_as_the_file() {
        let file = |had| FileReport { length: 1000, had, ..FileReport::default() };
        assert_eq!(drawn(&file(0), 10, 1), ["──────────"]);
        assert_eq!(drawn(&file(425), 10, 1), ["━━━━╸─────"]);
        assert_eq!(drawn(&file(1000), 10, 1), ["━━━━━━━━━━"]);
    }

    #[test]
    fn the_bar_tells_what_is_here_from_what_is_coming() {
        let cell = |had, coming| Cell { had, coming };
        let file = FileReport {
            length: 1000,
            had: 350,
            cells: vec![cell(1.0, 0.0), cell(0.5, 0.0), cell(0.5, 0.2), cell(0.0, 0.0), cell(1.0, 0.0)],
            readers: vec![ReaderReport { head: 999, ..ReaderReport::default() }, ReaderReport::default()],
        };
        assert_eq!(drawn(&file, 5, 2), ["━╸╍─━", "▲   ▲"]);
        assert_eq!(drawn(&file, 5, 1), ["▲╸╍─▲"]);
        // Made for another width.
        assert_eq!(drawn(&FileReport { readers: vec![], ..file.clone() }, 10, 1), ["━━╸╸╍╍──━━"]);
        assert_eq!(drawn(&FileReport { readers: vec![], ..file }, 2, 1), ["╍╍"]);
    }

    #[test]
    fn an_empty_file_is_no_trouble() {
        let readers = vec![ReaderReport::default()];
        assert_eq!(drawn(&FileReport { readers, ..FileReport::default() }, 3, 2), ["───", "  ▲"]);
    }
}
