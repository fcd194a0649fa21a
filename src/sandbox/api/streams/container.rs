//! Which of a pod's containers a request means, and whether there is a log to show of it.

use serde_json::Value;

use crate::sandbox::status::Status;

/// The container that a request means: the one that it names, or the only one.
///
/// # Errors
/// When it names none of several, or one that is not there, or the pod has no node.
pub(super) fn chosen<'a>(pod: &'a Value, asked: Option<&str>) -> Result<&'a str, Status> {
    let of = |list: &str| -> Vec<&'a str> {
        let containers = pod["spec"][list].as_array().into_iter().flatten();
        containers.filter_map(|container| container["name"].as_str()).collect()
    };
    let (main, init) = (of("containers"), of("initContainers"));
    let ephemeral = of("ephemeralContainers");
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let found = match asked.filter(|asked| !asked.is_empty()) {
        Some(asked) => {
            let mut all = main.iter().chain(&init).chain(&ephemeral);
            all.find(|one| **one == asked)
                .copied()
                .ok_or_else(|| Status::bad_request(format!("container {asked} is not valid for pod {name}")))?
        }
        None => match main[..] {
            [only] => only,
            [] => return Err(Status::bad_request(format!("a container name must be specified for pod {name}"))),
            _ => {
                let mut why = format!("a container name must be specified for pod {name}, choose one of: [");
                why += &main.join(" ");
                why += "]";
                if !init.is_empty() {
                    why += " or one of the init containers: [";
                    why += &init.join(" ");
                    why += "]";
                }
                return Err(Status::bad_request(why));
            }
        },
    };
    Ok(found)
}

/// # Errors
/// When no node has the pod.
pub(super) fn placed(pod: &Value) -> Result<(), Status> {
    if pod["spec"]["nodeName"].as_str().is_some_and(|node| !node.is_empty()) {
        return Ok(());
    }
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    Err(Status::bad_request(format!("pod {name} does not have a host assigned")))
}

/// What a container's status says about its log: whether the one to show is that of the last incarnation although the
/// present one was asked for, as kubelet does while a container waits for its restart; and when it began.
///
/// # Errors
/// When there is no log to show, in kubelet's words.
pub(super) fn logged<'a>(pod: &'a Value, container: &str, previous: bool) -> Result<(bool, Option<&'a str>), Status> {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let refuse = |why: String| Err(Status::bad_request(why));
    let lists = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];
    let mut statuses = lists.iter().flat_map(|list| pod["status"][*list].as_array().into_iter().flatten());
    let Some(status) = statuses.find(|status| status["name"] == container) else {
        return refuse(format!("container \"{container}\" in pod \"{name}\" is not available"));
    };
    let (state, last) = (&status["state"], &status["lastState"]["terminated"]);
    if previous {
        if last.is_null() {
            return refuse(format!("previous terminated container \"{container}\" in pod \"{name}\" not found"));
        }
        return Ok((true, last["startedAt"].as_str()));
    }
    for present in [&state["running"], &state["terminated"]] {
        if !present.is_null() {
            return Ok((false, present["startedAt"].as_str()));
        }
    }
    if !last.is_null() {
        return Ok((true, last["startedAt"].as_str()));
    }
    let why = match state["waiting"]["reason"].as_str() {
        Some("ErrImagePull") => "is waiting to start: image can't be pulled".to_owned(),
        Some("ImagePullBackOff") => "is waiting to start: trying and failing to pull image".to_owned(),
        Some(reason) => format!("is waiting to start: {reason}"),
        None => "is waiting to start - no logs yet".to_owned(),
    };
    refuse(format!("container \"{container}\" in pod \"{name}\" {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod() -> Value {
        json!({"metadata": {"name": "x"}, "spec": {"containers": [{"name": "a"}, {"name": "b"}]}})
    }

    #[test]
    fn a_container_must_be_named_among_several() {
        let mut pod = pod();
        assert_eq!(chosen(&pod, Some("b")), Ok("b"));
        let refused = |pod: &Value, asked| chosen(pod, asked).unwrap_err().message;
        assert_eq!(refused(&pod, None), "a container name must be specified for pod x, choose one of: [a b]");
        assert_eq!(refused(&pod, Some("c")), "container c is not valid for pod x");
        pod["spec"]["initContainers"] = json!([{"name": "i"}]);
        let both =
            "a container name must be specified for pod x, choose one of: [a b] or one of the init containers: [i]";
        assert_eq!(refused(&pod, None), both);
        assert_eq!(chosen(&pod, Some("i")), Ok("i"));
        pod["spec"]["containers"] = json!([{"name": "a"}]);
        assert_eq!(chosen(&pod, Some("")), Ok("a"));
        assert_eq!(placed(&pod).unwrap_err().message, "pod x does not have a host assigned");
    }

    #[test]
    fn a_log_is_there_once_a_container_ran() {
        let mut pod = pod();
        let log =
            |pod: &Value, previous| logged(pod, "a", previous).map(|(last, _)| last).map_err(|status| status.message);
        assert_eq!(log(&pod, false), Err("container \"a\" in pod \"x\" is not available".to_owned()));
        let mut put = |state: Value, last: Value| {
            pod["status"]["containerStatuses"] = json!([{"name": "a", "state": state, "lastState": last}]);
            (log(&pod, false), log(&pod, true))
        };
        let no_previous = Err("previous terminated container \"a\" in pod \"x\" not found".to_owned());
        let creating = "container \"a\" in pod \"x\" is waiting to start: ContainerCreating".to_owned();
        let waiting = json!({"waiting": {"reason": "ContainerCreating"}});
        assert_eq!(put(waiting, json!({})), (Err(creating), no_previous.clone()));
        assert_eq!(put(json!({"running": {}}), json!({})), (Ok(false), no_previous));
        let backing_off = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        assert_eq!(put(backing_off, json!({"terminated": {"exitCode": 1}})), (Ok(true), Ok(true)));
        let ended = json!({"terminated": {"exitCode": 1}});
        assert_eq!(put(ended.clone(), json!({"terminated": {"exitCode": 1}})), (Ok(false), Ok(true)));
    }
}
