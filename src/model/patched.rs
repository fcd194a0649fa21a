//! What a patch of the StatefulSet has changed, as it is noted in the record and taken back by.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CommandEdit, EnvEdit, Template, WordEdit};

/// What a patch has changed in the StatefulSet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Patched {
    /// Pods before.
    pub from: i32,
    /// Pods after.
    pub to: i32,
    /// Variables of the template.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvEdit>,
    /// Words of the command line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<WordEdit>,
    /// What the container runs instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Box<CommandEdit>>,
    /// The update strategy before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<(Value, Value)>,
    /// The update revision before: a template that is taken back has it again, and it is not the current one where a
    /// rollout was held back already. None in records of before it was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

impl Patched {
    /// Whether the template is as the patch has left it.
    pub fn stands_in(&self, template: &Template) -> bool {
        let env = self.env.iter().all(|edit| {
            let container = template.containers.get(edit.container);
            container.is_some_and(|container| container.literal(&edit.name) == Some(edit.to.as_str()))
        });
        let words = self.words.iter().all(|edit| {
            let container = template.containers.get(edit.container);
            container.and_then(|container| container.list(edit.part).get(edit.index)) == Some(&edit.to)
        });
        env && words
    }
}
