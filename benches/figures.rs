//! Figures of several rounds, and how they are written.

/// What a figure is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Bytes,
    Count,
}

impl Unit {
    /// A figure as people read it.
    pub(crate) fn write(self, figure: f64) -> String {
        match self {
            Self::Seconds if figure < 0.01 => format!("{:.1} ms", figure * 1e3),
            Self::Seconds if figure < 1.0 => format!("{:.0} ms", figure * 1e3),
            Self::Seconds => format!("{figure:.1} s"),
            Self::Bytes if figure < 1e6 => format!("{:.0} kB", figure / 1e3),
            Self::Bytes if figure < 1e9 => format!("{:.1} MB", figure / 1e6),
            Self::Bytes => format!("{:.2} GB", figure / 1e9),
            Self::Count if figure.fract() == 0.0 => format!("{figure:.0}"),
            Self::Count => format!("{figure:.1}"),
        }
    }
}

/// One figure of each round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures(Vec<f64>);

impl Figures {
    /// In order of size.
    pub(crate) fn new(mut all: Vec<f64>) -> Self {
        all.sort_by(f64::total_cmp);
        Self(all)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn least(&self) -> Option<f64> {
        self.0.first().copied()
    }

    pub(crate) fn most(&self) -> Option<f64> {
        self.0.last().copied()
    }

    pub(crate) fn median(&self) -> Option<f64> {
        let Self(all) = self;
        let middle = all.len() / 2;
        if all.len() % 2 == 1 {
            all.get(middle).copied()
        } else {
            Some(f64::midpoint(*all.get(middle)?, all[middle - 1]))
        }
    }

    /// The smallest that is not less than so many of a hundred.
    pub(crate) fn percentile(&self, percent: usize) -> Option<f64> {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0.get(rank.saturating_sub(1)).copied()
    }

    /// The median, and the least and the most where they are not the same.
    pub(crate) fn write(&self, unit: Unit) -> String {
        let (Some(median), Some(least), Some(most)) = (self.median(), self.least(), self.most()) else {
            return "-".to_owned();
        };
        let [median, least, most] = [median, least, most].map(|figure| unit.write(figure));
        if least == most { median } else { format!("{median} ({least} to {most})") }
    }
}

/// A table in Markdown.
pub(crate) fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule = format!("|---|{}\n", "---:|".repeat(head.len() - 1));
    let rows: String = rows.iter().map(|row| line(row)).collect();
    format!("{}{rule}{rows}", line(head))
}

/// The head of a table from words.
pub(crate) fn head(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
