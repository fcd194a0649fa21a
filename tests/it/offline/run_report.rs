//! The run report in its three forms, as snapshots and as what they promise. The clock ticks with every event, so that
//! every run is the same.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{fs, io};

use etcd_scale::model::{Goal, Observation, Owner};
use etcd_scale::report::{Console, ReportFile, ReportHead, Style};
use etcd_scale::runbook::{Interrupt, Options, Run, TroubleKind};
use etcd_scale::steps;
use jiff::Timestamp;
use serde_json::Value;

use super::run::{Foreseen, YES};
use super::sample::{rok, up_to};

const NAMES: [&str; 3] = ["report.html", "report.md", "report.json"];

/// A run that is reported in all forms.
async fn reported(observation: Observation, options: Options) -> [String; 3] {
    Box::pin(reported_in(Foreseen::new(observation), options)).await
}

/// The same, in a world with troubles of its own.
async fn reported_in(mut world: Foreseen, options: Options) -> [String; 3] {
    let observation = world.observation.clone();
    let directory = tempfile::tempdir().unwrap();
    let mut ticks = 0;
    let clock = move || {
        ticks += 1;
        Timestamp::UNIX_EPOCH + Duration::from_millis(250) * ticks
    };
    let quiet = Style { quiet: true, ..Style::default() };
    let mut console = Console::writing_to(quiet, Interrupt::default(), Box::new(io::sink()), Box::new(io::sink()));
    console = console.by_clock(clock);
    let files = NAMES.map(|name| ReportFile::named(directory.path().join(name)).unwrap());
    let head = ReportHead {
        verb: "up",
        statefulset: "rok/rok-etcd".into(),
        operator: "ops@desk".into(),
        command: "etcd-scale up --sts rok-etcd -n rok --yes".into(),
    };
    console.report_to(files.to_vec(), head).unwrap();
    console.reached("https://10.0.0.1:6443");
    let goal = Goal::resolve(&up_to(observation.statefulset.replicas + 1, "run"), &observation).unwrap();
    let steps = steps::towards(&goal, &observation);
    Run::new(steps, goal, &mut world, &mut console, Interrupt::default(), options).drive(observation).await;
    assert!(console.write_report(0), "the reports are written");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3, "nothing else is left");
    let read = |name| fs::read_to_string(directory.path().join(name)).unwrap();
    NAMES.map(|name| read(name).replace(concat!("etcd-scale ", env!("CARGO_PKG_VERSION")), "etcd-scale VERSION"))
}

/// A cluster whose names would take a page, a table or a terminal over.
fn hostile() -> Observation {
    let mut observation = rok(2);
    observation.statefulset.owner = Some(Owner {
        kind: "</pre><script>alert(1)</script>".into(),
        name: "a\u{1b}[2J\u{202e}|b|\n# c ![x](http://evil.example/x.png) `d` @somebody <img src=x onerror=y>".into(),
    });
    observation
}

/// Tags of a page, each with the names of its attributes.
fn tags(page: &str) -> BTreeSet<(String, BTreeSet<String>)> {
    let mut found = BTreeSet::new();
    for tag in page.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag) {
        let name: String = tag.chars().take_while(char::is_ascii_alphanumeric).collect();
        // What stands in quotation marks is a value.
        let outside: String = tag.split('"').step_by(2).collect::<Vec<_>>().join("");
        let words = outside.split_whitespace().skip(1).filter_map(|word| word.split_once('='));
        found.insert((name, words.map(|(name, _)| name.to_owned()).collect()));
    }
    found
}

/// Asserts that a page is a page of ours and nothing more: no script, and nothing that is fetched.
fn assert_alone(page: &str) {
    let known = "html head meta title style body header p h1 h2 h3 dl dt dd pre code table caption thead tbody tr th td \
                 span br b ul li time figure figcaption i svg line rect circle polyline text section div footer";
    let known: BTreeSet<&str> = known.split_whitespace().collect();
    let attributes = "lang charset name content http-equiv class style viewBox role aria-label x y x1 x2 y1 y2 width height \
                      cx cy r points";
    let attributes: BTreeSet<&str> = attributes.split_whitespace().collect();
    for (name, own) in tags(page) {
        assert!(name.is_empty() || known.contains(name.as_str()), "a tag {name}");
        assert!(own.iter().all(|attribute| attributes.contains(attribute.as_str())), "{name} has {own:?}");
    }
    for loads in ["url(", "@import", "src=", "href=", "javascript:"] {
        assert!(!page.replace("&lt;img src=x", "").contains(loads), "{loads}");
    }
}

#[tokio::test]
async fn a_page() {
    let [page, _, _] = reported(rok(2), YES).await;
    assert_alone(&page);
    // The look is another matter.
    let (_, body) = page.split_once("</style>").expect("it has a style");
    insta::assert_snapshot!(body);
}

#[tokio::test]
async fn text_for_a_ticket() {
    let [_, text, _] = reported(rok(2), YES).await;
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn data() {
    let [_, _, data] = reported(rok(2), YES).await;
    insta::assert_snapshot!(data);
}

#[tokio::test]
async fn a_dry_run_is_reported_with_its_commands() {
    let [page, text, data] = reported(rok(2), Options { yes: false, dry_run: true }).await;
    for form in [&page, &text] {
        assert!(form.contains("dry run: nothing was changed") && form.contains("member add --learner"), "{form}");
    }
    let data: Value = serde_json::from_str(&data).unwrap();
    assert_eq!((&data["runs"][0]["outcome"], &data["runs"][0]["dryRun"]), (&"foreseen".into(), &true.into()));
}

#[tokio::test]
async fn nobody_to_ask_is_reported() {
    let [page, text, data] = reported(rok(2), Options::default()).await;
    assert!(page.contains("nobody to ask") && text.contains("**nobody to ask**"));
    let data: Value = serde_json::from_str(&data).unwrap();
    assert_eq!(data["runs"][0]["outcome"], "nobody-to-ask");
    assert_eq!(data["runs"][0]["after"]["podsAskedFor"], 2);
}

#[tokio::test]
async fn a_refused_change_has_its_answer() {
    for (kind, troubles) in [(TroubleKind::NotYet, "not yet"), (TroubleKind::Refused, "failed")] {
        let mut world = Foreseen::new(rok(2));
        world.faults.push(("promote", kind, 1, false));
        let [page, text, data] = reported_in(world, YES).await;
        assert!(page.contains(&format!("{troubles}: a fault of the test</p>")), "{page}");
        assert!(text.contains(&format!("- {troubles}: a fault of the test")), "{text}");
        assert!(!page.contains("no answer came back") && !text.contains("no answer came back"));
        let data: Value = serde_json::from_str(&data).unwrap();
        assert_eq!(data["runs"][0]["outcome"], if troubles == "failed" { "failed" } else { "done" });
    }
}

#[tokio::test]
async fn a_wait_lasts_until_the_run_ends() {
    let mut world = Foreseen::new(rok(2));
    world.frozen = true;
    let [_, _, data] = reported_in(world, YES).await;
    let data: Value = serde_json::from_str(&data).unwrap();
    let run = &data["runs"][0];
    assert_eq!(run["outcome"], "timed-out");
    let wait = run["steps"].as_array().unwrap().last().unwrap()["waits"].as_array().unwrap().last().unwrap();
    let number = |value: &Value| value.as_f64().unwrap();
    assert!((number(&wait["at"]) + number(&wait["seconds"]) - number(&run["seconds"])).abs() < 0.001, "{wait}");
}

#[tokio::test]
async fn text_from_the_cluster_is_only_text() {
    let [page, text, data] = reported(hostile(), YES).await;
    assert_alone(&page);
    for form in [&page, &text] {
        assert!(form.contains("a\\u{1b}[2J\\u{202e}") || form.contains("a\\\\u{1b}\\[2J\\\\u{202e}"), "{form}");
        assert!(!form.contains('\u{1b}') && !form.contains('\u{202e}'));
    }
    assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
    // In a block everything is as it is; elsewhere nothing means anything.
    let mut in_block = false;
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            for meaning in ["<script", "![x]", "|b|", "`d`", "@somebody", "# c !["] {
                assert!(!line.contains(meaning), "{meaning} in {line}");
            }
        }
    }
    assert!(!in_block, "every block ends");
    let data: Value = serde_json::from_str(&data).unwrap();
    assert!(data.to_string().contains("a\\u001b[2J"));
}

#[test]
fn the_name_says_the_form() {
    for name in ["a.html", "b.HTM", "c.md", "d/e.json"] {
        assert!(ReportFile::named(name).is_ok(), "{name}");
    }
    for name in ["a.pdf", "html", "a", ".json"] {
        assert!(ReportFile::named(name).is_err(), "{name}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_told_of_at_once() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("taken.html")).unwrap();
    let head = ReportHead { verb: "up", statefulset: "a/b".into(), operator: "c".into(), command: "d".into() };
    for name in ["none/report.html", "taken.html"] {
        let file = ReportFile::named(directory.path().join(name)).unwrap();
        let mut console =
            Console::writing_to(Style::default(), Interrupt::default(), Box::new(io::sink()), Box::new(io::sink()));
        let trouble = console.report_to(vec![file], head.clone()).unwrap_err();
        assert!(trouble.message.contains(name), "{trouble}");
    }
}

#[test]
fn one_that_cannot_be_written_keeps_no_other_from_it() {
    let directory = tempfile::tempdir().unwrap();
    let gone = directory.path().join("gone");
    fs::create_dir(&gone).unwrap();
    let (first, second) = (gone.join("report.md"), directory.path().join("report.md"));
    let files = [&first, &second].map(|path| ReportFile::named(path).unwrap());
    let head = ReportHead { verb: "up", statefulset: "a/b".into(), operator: "c".into(), command: "d".into() };
    let mut console =
        Console::writing_to(Style::default(), Interrupt::default(), Box::new(io::sink()), Box::new(io::sink()));
    console.report_to(files.to_vec(), head).unwrap();
    fs::remove_dir(&gone).unwrap();
    assert!(!console.write_report(0));
    assert!(second.exists());
}

/// A browser, where one is installed.
fn browser() -> Option<&'static str> {
    let runs = |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find(runs)
}

/// Width and height of a picture in PNG.
fn size_of(png: &Path) -> Option<(u32, u32)> {
    let bytes = fs::read(png).ok()?;
    let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    bytes.starts_with(b"\x89PNG").then_some((number(16)?, number(20)?))
}

#[tokio::test]
async fn a_browser_has_nothing_against_the_page() {
    let Some(browser) = browser() else { return };
    let [page, _, _] = reported(rok(2), YES).await;
    let desk = tempfile::tempdir().unwrap();
    let (file, picture) = (desk.path().join("report.html"), desk.path().join("report.png"));
    // A script is a fault of the page that the browser has to tell of, or this test could not fail.
    for (text, faultless) in [(page.clone(), true), (page.replace("</body>", "<script src='x.js'></script>"), false)] {
        fs::write(&file, text).unwrap();
        let output = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--enable-logging=stderr", "--window-size=1100,1400"])
            .arg(format!("--user-data-dir={}", desk.path().join("profile").display()))
            .arg(format!("--screenshot={}", picture.display()))
            .arg(format!("file://{}", file.display()))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(!said.contains("CONSOLE"), faultless, "{said}");
        assert_eq!(size_of(&picture), Some((1100, 1400)), "{said}");
    }
}
