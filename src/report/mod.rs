//! What a person or a program sees: the only place that prints or prompts.
//!
//! Text for people goes to standard error, results for programs to standard output.

mod again;
mod change;
mod commands;
mod console;
mod document;
mod escape;
mod log;
mod plain;
mod prompt;
mod quoted;
mod run_report;
mod status;
mod statuses;
mod summary;
mod table;
mod text;
mod waiting;

pub use console::{Color, Console, Format, Style};
pub use escape::escape;
pub use log::log;
pub use plain::{hush, output};
pub use prompt::input_ended;
pub use quoted::{command_line, quoted};
pub use run_report::{ReportFile, ReportForm, ReportHead};
