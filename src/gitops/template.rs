//! Templates: rendered with what the size of the cluster says, and nothing else.

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};

use crate::model::Fact;

/// The number of members.
const SIZE: &str = "ETCD_CLUSTER_SIZE";

/// What the new member is told of the cluster that it starts in.
const STATE: &str = "ETCD_CLUSTER_STATE";

/// Whether a template has to do with the size of the cluster.
pub(super) fn concerns(text: &str) -> bool {
    [SIZE, STATE].iter().any(|name| words(text).any(|word| word == *name))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

/// Renders a template for so many members, as `j2` does with these two variables in its environment.
///
/// # Errors
/// The fact that it cannot be, with its place.
pub(super) fn render(path: &str, text: &str, to: i32) -> Result<String, Fact> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    environment.set_syntax(syntax.map_err(|error| Fact::new(format!("{path} cannot be rendered: {error}"), ""))?);
    let context = BTreeMap::from([(SIZE, to.to_string()), (STATE, "existing".to_owned())]);
    let place = |line: Option<usize>| line.map_or_else(|| path.to_owned(), |line| format!("{path}, line {line}"));
    let template = environment.template_from_named_str(path, text).map_err(|error| {
        let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        Fact::new(format!("{} is no template: {what}", place(error.line())), "mend the template")
    })?;
    template.render(&context).map_err(|error| {
        if error.kind() != ErrorKind::UndefinedError {
            let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
            return Fact::new(format!("{} cannot be rendered: {what}", place(error.line())), "mend the template");
        }
        let unknown = template.undeclared_variables(false);
        let line = error.line().and_then(|line| text.lines().nth(line.saturating_sub(1))).unwrap_or(text);
        let mut names: Vec<&str> =
            words(line).filter(|word| unknown.contains(*word) && !context.contains_key(word)).collect();
        names.dedup();
        Fact::new(
            format!(
                "{} uses {}, which is not set",
                place(error.line()),
                if names.is_empty() { "a variable".to_owned() } else { names.join(", ") }
            ),
            format!("only {SIZE} and {STATE} are set; write the value of others into the template"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_variables_are_set_and_the_end_stays() {
        let text = "- op: replace\n  path: /spec/replicas\n  value: {{ ETCD_CLUSTER_SIZE }}\n";
        assert!(concerns(text));
        assert_eq!(render("size.yaml.j2", text, 3).unwrap(), text.replace("{{ ETCD_CLUSTER_SIZE }}", "3"));
        assert_eq!(render("x", "{{ ETCD_CLUSTER_STATE }}\n\n", 3).unwrap(), "existing\n\n");
        let peers = "{% for i in range(ETCD_CLUSTER_SIZE | int) %}p{{ i }},{% endfor %}";
        assert_eq!(render("x", peers, 3).unwrap(), "p0,p1,p2,");
    }

    #[test]
    fn an_unknown_variable_is_named_with_its_place() {
        let fact =
            render("patches/a.yaml.j2", "a: {{ ETCD_CLUSTER_SIZE }}\nb: {{ ETCD_CLUSTER_SIZES }}\n", 3).unwrap_err();
        assert_eq!(fact.fact, "patches/a.yaml.j2, line 2 uses ETCD_CLUSTER_SIZES, which is not set");
        assert!(!concerns("{{ ETCD_CLUSTER_SIZES }}"));
        assert_eq!(render("x", "{{ OTHER | default('1') }}", 3).unwrap(), "1");
    }

    #[test]
    fn what_is_no_template_is_said_to_be_none() {
        let fact = render("a.j2", "x\n{% if %}", 3).unwrap_err();
        assert!(fact.fact.starts_with("a.j2, line 2 is no template"), "{}", fact.fact);
    }
}
