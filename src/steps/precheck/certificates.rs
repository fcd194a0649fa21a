//! Certificates: the new member's hosts have to be in them, or it is turned away for ever; and they should last.

use super::{Check, Context};
use crate::model::{Answer, CertSource, Container, Known, Question, Template, Tls, host_of, replace_ordinal};
use crate::runbook::Finding;

/// A certificate that expires in fewer days is worth a word.
const SOON: i64 = 30;

/// One of the members' certificates.
struct Wanted {
    /// What it is for.
    of: &'static str,
    question: Question,
}

/// Those that can be read from outside, and of the others where they are.
fn wanted(context: Context<'_>) -> (Vec<Wanted>, Vec<(&'static str, String)>) {
    let (mut readable, mut elsewhere) = (Vec::new(), Vec::new());
    let set = &context.observation.statefulset;
    let Some((_, container)) = set.template.etcd() else { return (readable, elsewhere) };
    let start = set.start;
    let members = context.observation.members.known();
    let listed = || members.into_iter().flat_map(|members| &members.list);
    // None stands for a look at the certificate alone.
    let new_hosts = |urls: Vec<&String>| -> Vec<Option<String>> {
        if !context.grows() {
            return vec![None];
        }
        let rounds = context.goal.rounds();
        let host = |ordinal| {
            let url = urls.iter().find_map(|url| replace_ordinal(url, &set.name, ordinal))?;
            host_of(&url).map(str::to_owned)
        };
        rounds.iter().map(|round| host(round.ordinal(start))).collect()
    };
    let peers = || new_hosts(listed().flat_map(|member| &member.peer_urls).collect());
    let clients = || new_hosts(listed().flat_map(|member| &member.client_urls).collect());
    let mut want = |of, tls: Option<Tls>, hosts: Vec<Option<String>>| {
        let Some(cert) = tls.and_then(|tls| tls.cert) else { return };
        match cert.source {
            CertSource::Elsewhere(place) => elsewhere.push((of, place)),
            source => readable.extend(hosts.into_iter().map(|host| {
                let source = source.clone();
                Wanted { of, question: Question::Certificate { source, host } }
            })),
        }
    };
    let of = |tls: fn(&Template, &Container) -> Option<Tls>| tls(&set.template, container);
    want("between members", of(Template::peer_tls), peers());
    want("for clients", of(Template::client_tls), clients());
    (readable, elsewhere)
}

/// The question to ask, where one has not been answered.
pub(super) fn question(context: Context<'_>) -> Option<Question> {
    let (readable, _) = wanted(context);
    readable.into_iter().map(|one| one.question).find(|question| context.observation.answer(question).is_none())
}

/// Nothing is said where etcd needs none.
pub(super) fn checks(context: Context<'_>) -> Vec<Finding> {
    let (readable, elsewhere) = wanted(context);
    if readable.is_empty() && elsewhere.is_empty() {
        return Vec::new();
    }
    let mut check = Check::new("certificates");
    for (of, place) in elsewhere {
        check.unknown(&format!("the certificate {of}"), Some(&format!("it is on {place}")));
    }
    let mut first_to_expire: Option<(i64, String)> = None;
    for Wanted { of, question } in readable {
        let Question::Certificate { source, host } = &question else { continue };
        let certificate = match context.observation.answer(&question) {
            Some(Answer::Certificate(Known::Known(certificate))) => certificate,
            Some(Answer::Certificate(Known::Unknown(why))) => {
                check.unknown(&format!("the certificate {of} ({source})"), Some(why));
                continue;
            }
            _ => continue,
        };
        if let Some(host) = host.as_ref().filter(|_| !certificate.covers) {
            check.refuse(
                format!(
                    "the certificate {of} ({source}) does not name the new member's host {host}; it names {}",
                    certificate.names.join(", ")
                ),
                "issue one that names it first: without it the new member is turned away for ever",
            );
        }
        let expires = &certificate.expires;
        match certificate.days_left {
            ..0 => check.refuse(format!("the certificate {of} ({source}) expired at {expires}"), "renew it first"),
            days @ 0..=SOON => {
                check.advise(format!("the certificate {of} ({source}) expires in {days} days"), "renew it soon");
            }
            _ => {}
        }
        if first_to_expire.as_ref().is_none_or(|(days, _)| certificate.days_left < *days) {
            first_to_expire = Some((certificate.days_left, expires.clone()));
        }
    }
    let until = first_to_expire.map_or_else(String::new, |(_, expires)| format!(", valid until {expires}"));
    let naming = if context.grows() { "they name the new member" } else { "they can be read" };
    check.end(format!("{naming}{until}"))
}
