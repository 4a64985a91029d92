//! The few ways in which something stands out. Without colours they are told apart by weight alone.

use ratatui::style::{Color, Modifier, Style};

#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    pub(super) colors: bool,
}

impl Palette {
    fn colored(self, color: Color) -> Style {
        if self.colors { Style::new().fg(color) } else { Style::new() }
    }

    /// What is read first.
    pub(super) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What is there to be looked up.
    pub(super) fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// What is here.
    pub(super) fn here(self) -> Style {
        self.colored(Color::Cyan)
    }

    /// What is on its way.
    pub(super) fn coming(self) -> Style {
        self.colored(Color::Yellow)
    }

    /// What keeps a viewer waiting.
    pub(super) fn waiting(self) -> Style {
        self.colored(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    /// What must not be overlooked, and the line under the cursor.
    pub(super) fn turned(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD)
    }
}
