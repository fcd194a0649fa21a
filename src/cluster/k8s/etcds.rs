//! Finding the StatefulSets that run etcd, by the list of all there are.

use k8s_openapi::api::apps::v1::StatefulSet as ApiStatefulSet;
use kube::api::{Api, ApiResource, DynamicObject, ListParams};

use super::connection::{Connected, FIRST_CALL};
use super::convert;
use super::errors::ask;
use super::read::no_namespace;
use crate::runbook::Trouble;

/// How many are asked for at a time, so that no call takes long however many there are.
const PAGE: u32 = 250;

impl Connected {
    /// Namespaces and names of the StatefulSets that run etcd, in this namespace or in all. One that is malformed is
    /// among them: it cannot be told what it runs, and reading it says why.
    ///
    /// # Errors
    /// When they cannot be listed, or the namespace does not exist.
    pub(in crate::cluster) async fn etcds(
        &self,
        namespace: Option<&str>,
        container: Option<&str>,
    ) -> Result<Vec<(String, String)>, Trouble> {
        let resource = ApiResource::erase::<ApiStatefulSet>(&());
        let client = self.client.clone();
        let (api, place): (Api<DynamicObject>, _) = match namespace {
            None => (Api::all_with(client, &resource), "all namespaces".to_owned()),
            Some(name) => (Api::namespaced_with(client, name, &resource), format!("namespace {name}")),
        };
        let what = format!("list the StatefulSets of {place} at {}", self.server);
        let runs_etcd = |object| {
            convert::statefulset(object).map_or(true, |mut set| {
                set.template.named = container.map(str::to_owned);
                set.template.etcd().is_some()
            })
        };
        let mut found = Vec::new();
        let mut params = ListParams::default().limit(PAGE);
        // The first call has to say soon that nobody is there; later ones have the time that was given.
        let mut limit = self.request_timeout.min(FIRST_CALL);
        loop {
            let page = ask(&what, limit, || api.list(&params)).await?;
            for object in page.items {
                let metadata = object.metadata.clone();
                if runs_etcd(object) {
                    found.push((metadata.namespace.unwrap_or_default(), metadata.name.unwrap_or_default()));
                }
            }
            let Some(token) = page.metadata.continue_.filter(|token| !token.is_empty()) else { break };
            params = params.continue_token(&token);
            limit = self.request_timeout;
        }
        // The list of a namespace that does not exist is empty too.
        if let (Some(name), true) = (namespace, found.is_empty())
            && let Some(trouble) = no_namespace(&self.client, name, limit).await
        {
            return Err(trouble);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use kube::Client;
    use kube::client::Body;
    use serde_json::{Value, json};

    use super::*;

    fn set(name: &str, template: &Value) -> Value {
        json!({
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"namespace": "some", "name": name},
            "spec": {"template": template},
        })
    }

    fn running(command: &str) -> Value {
        json!({"spec": {"containers": [{"name": "main", "command": [command]}]}})
    }

    /// An API server with two pages.
    fn connected() -> Connected {
        let pages = tower::service_fn(|request: http::Request<Body>| async move {
            let second = request.uri().query().unwrap_or_default().contains("continue=second");
            let (items, token) = if second {
                (vec![set("later", &running("etcd")), set("malformed", &json!("none"))], "")
            } else {
                (vec![set("etcd", &running("etcd")), set("web", &running("nginx"))], "second")
            };
            let list = json!({
                "apiVersion": "apps/v1",
                "kind": "StatefulSetList",
                "metadata": {"continue": token},
                "items": items,
            });
            Ok::<_, Infallible>(http::Response::new(Body::from(list.to_string().into_bytes())))
        });
        Connected {
            client: Client::new(pages, "some"),
            namespace: "some".to_owned(),
            server: "http://nowhere".to_owned(),
            request_timeout: Duration::from_secs(5),
        }
    }

    #[tokio::test]
    async fn all_pages_are_read_and_what_is_no_etcd_is_left_out() {
        let names = |found: Vec<(String, String)>| found.into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        let found = connected().etcds(None, None).await.unwrap();
        assert_eq!(names(found), ["etcd", "later", "malformed"]);
        let found = connected().etcds(Some("some"), Some("sidecar")).await.unwrap();
        assert_eq!(names(found), ["malformed"], "a container of that name is what counts where one is named");
    }
}
