use super::*;

fn files() -> Vec<PickerEntry> {
    let names = [
        "Series/readme.txt",
        "Series/Season 1/S01E01 Pilot.mkv",
        "Series/Season 1/S01E02 The one with a very long name that goes on and on and on.mkv",
        "Series/Season 2/S02E01 天気の子.mkv",
        "Series/Season 2/S02E02 \u{1b}[31mred.mkv",
        "Series/Season 2/Extras/Bloopers.mkv",
    ];
    let entry = |(index, path): (usize, &&str)| PickerEntry {
        index,
        path: (*path).to_owned(),
        length: 1000 << (4 * index),
    };
    names.iter().enumerate().map(entry).collect()
}

fn drawn(picker: &mut Picker, columns: u16, rows: u16) -> String {
    let area = Rect::new(0, 0, columns, rows);
    let mut buffer = Buffer::empty(area);
    picker.draw(Palette { colors: true }, area, &mut buffer);
    let row = |y| {
        let mut line = String::new();
        let mut x = 0;
        while x < columns {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            x += width(symbol).max(1) as u16;
        }
        line.trim_end().to_owned()
    };
    (0..rows).map(row).collect::<Vec<_>>().join("\n")
}

fn typed(picker: &mut Picker, text: &str) {
    for letter in text.chars() {
        assert_eq!(picker.press(Press::Char(letter)), None);
    }
}

macro_rules! assert_picture {
    ($($picture:tt)*) => {
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!($($picture)*);
        })
    };
}

#[test]
fn a_list_with_folders() {
    let mut picker = Picker::new("What shall it be?", &files(), 3);
    assert_picture!("picker_80x20", drawn(&mut picker, 80, 20));
    assert_picture!("picker_60x10", drawn(&mut picker, 60, 10));
    assert_picture!("picker_200x16", drawn(&mut picker, 200, 16));
    typed(&mut picker, "season e02");
    assert_picture!("picker_filtered_80x16", drawn(&mut picker, 80, 16));
    typed(&mut picker, " nonsense");
    assert_picture!("picker_nothing_60x12", drawn(&mut picker, 60, 12));
    assert_eq!(picker.press(Press::Enter), None);
}

#[test]
fn it_begins_at_the_present_file_and_enter_takes_it() {
    let mut picker = Picker::new("", &files(), 3);
    assert_eq!(picker.press(Press::Enter), Some(Picked::File(3)));
    assert_eq!(picker.press(Press::Escape), Some(Picked::Nothing));
    assert_eq!(picker.press(Press::Control('c')), Some(Picked::Quit));
    assert_eq!(Picker::new("", &files(), 99).press(Press::Enter), Some(Picked::File(0)));
}

#[test]
fn the_cursor_steps_over_folders_and_stays_in_the_list() {
    let mut picker = Picker::new("", &files(), 0);
    let mut at = |press| {
        assert_eq!(picker.press(press), None);
        picker.index_at(picker.cursor).expect("the cursor is at a file")
    };
    assert_eq!(at(Press::Up), 0);
    assert_eq!(at(Press::Down), 1);
    assert_eq!(at(Press::Down), 2);
    assert_eq!(at(Press::Down), 3);
    assert_eq!(at(Press::Up), 2);
    assert_eq!(at(Press::End), 5);
    assert_eq!(at(Press::Down), 5);
    assert_eq!(at(Press::Home), 0);
    assert_eq!(at(Press::PageDown), 5);
    assert_eq!(at(Press::PageUp), 0);
}

#[test]
fn typing_filters_by_words_anywhere_or_by_the_index() {
    let mut picker = Picker::new("", &files(), 0);
    let left =
        |picker: &Picker| (0..picker.rows.len()).filter_map(|row| picker.index_at(row)).collect::<Vec<_>>();
    typed(&mut picker, "SEASON 2 ");
    assert_eq!(left(&picker), [2, 3, 4, 5]);
    typed(&mut picker, "天");
    assert_eq!(left(&picker), [3]);
    picker.press(Press::Backspace);
    assert_eq!(picker.index_at(picker.cursor), Some(3), "it stays where it was");
    picker.press(Press::Control('u'));
    picker.press(Press::Paste("extras\n".into()));
    assert_eq!(left(&picker), [5]);
    picker.press(Press::Control('u'));
    assert_eq!(left(&picker).len(), 6);
}

#[test]
fn the_cursor_is_always_seen() {
    let files: Vec<PickerEntry> = (0..1000)
        .map(|index| PickerEntry { index, path: format!("a/{}/f{index}.mkv", index / 7), length: 5 })
        .collect();
    let mut picker = Picker::new("", &files, 500);
    for press in
        [Press::PageDown, Press::Down, Press::Up, Press::End, Press::PageUp, Press::Home, Press::Down]
    {
        for _ in 0..9 {
            picker.press(press.clone());
            let shown = drawn(&mut picker, 60, 12);
            let at = picker.index_at(picker.cursor).expect("the cursor is at a file");
            assert!(shown.contains(&format!("f{at}.mkv")) && shown.contains('▸'), "{shown}");
        }
    }
}

#[test]
fn no_size_is_too_small() {
    let mut picker = Picker::new("What shall it be?", &files(), 5);
    let mut none = Picker::new("", &[], 0);
    for columns in 0..90 {
        for rows in 0..20 {
            let area = Rect::new(0, 0, columns, rows);
            picker.draw(Palette { colors: true }, area, &mut Buffer::empty(area));
            none.draw(Palette { colors: true }, area, &mut Buffer::empty(area));
        }
    }
}
