//! What the templates of both forms share: filters for times and sizes, and no way for a value to get past its form's
//! escape.

use jiff::Timestamp;
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value, escape_formatter};

use super::super::escape::escape;

/// An environment for one template. Every value that it prints has its control characters escaped and then goes through
/// `own`, or through the engine's escape for HTML; what a filter has made safe goes through neither.
pub(super) fn environment(own: Option<fn(&str) -> String>) -> Result<Environment<'static>, String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(syntax.map_err(|error| error.to_string())?);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(move |out: &mut Output, state: &mut State, value: &Value| {
        let Some(text) = value.as_str().filter(|_| !value.is_safe()) else {
            return escape_formatter(out, state, value);
        };
        let text = escape(text);
        match own {
            None => escape_formatter(out, state, &Value::from(text.as_ref())),
            Some(own) => out.write_str(&own(&text)).map_err(Error::from),
        }
    });
    environment.add_filter("when", |text: &str| {
        let time: Timestamp = text.parse().map_err(|_| Error::new(ErrorKind::InvalidOperation, "no time"))?;
        Ok::<_, Error>(time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
    });
    environment.add_filter("lasting", lasting);
    environment.add_filter("megabytes", |bytes: f64| format!("{:.1} MB", bytes / 1e6));
    Ok(environment)
}

/// A template filled in.
pub(super) fn render(environment: &Environment<'_>, template: &str, context: Value) -> Result<String, String> {
    environment.render_str(template, context).map_err(|error| {
        let line = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
        format!("{}{line}", error.detail().map_or_else(|| error.kind().to_string(), str::to_owned))
    })
}

/// A length of time for people.
pub(super) fn lasting(seconds: f64) -> String {
    if seconds < 59.95 {
        return format!("{seconds:.1} s");
    }
    // Whole seconds are precise enough from here on.
    let whole = seconds.round();
    format!("{:.0} min {:.0} s", (whole / 60.0).floor(), whole % 60.0)
}
