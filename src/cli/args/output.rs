//! What is shown, and how.

use clap::{Args, ValueEnum};

use crate::report::{Color, Format, Style};

#[derive(Debug, Args)]
pub(in crate::cli) struct Output {
    /// Form of the results on standard output; a run's text goes to standard error
    #[arg(short = 'o', long = "output", global = true, value_enum, default_value_t, help_heading = "Output")]
    pub(in crate::cli) format: OutputFormat,

    /// When to colour
    #[arg(long, global = true, value_enum, default_value_t, help_heading = "Output")]
    pub(in crate::cli) color: ColorWhen,

    /// Show commands and bookkeeping; twice and thrice, the libraries' logs
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Output")]
    pub(in crate::cli) verbose: u8,

    /// Show only questions, the end and errors
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Output")]
    pub(in crate::cli) quiet: bool,
}

impl Output {
    pub(in crate::cli) fn style(&self) -> Style {
        Style {
            format: match self.format {
                OutputFormat::Text => Format::Text,
                OutputFormat::Json => Format::Json,
                OutputFormat::Ndjson => Format::Ndjson,
            },
            color: match self.color {
                ColorWhen::Auto => Color::Auto,
                ColorWhen::Always => Color::Always,
                ColorWhen::Never => Color::Never,
            },
            verbose: self.verbose > 0,
            quiet: self.quiet,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(in crate::cli) enum OutputFormat {
    /// For people
    #[default]
    Text,
    /// One document at the end
    Json,
    /// One event a line, as they happen
    Ndjson,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(in crate::cli) enum ColorWhen {
    /// At a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}
