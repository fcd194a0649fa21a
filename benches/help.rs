//! How long the program takes to start: `etcd-scale --help`.

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::figures::{Figures, Unit, head, table};
use crate::rounds;
use crate::weigh::PROGRAM;

pub(crate) fn measure() -> String {
    let many = 20 * rounds();
    let took = |_| {
        let mut command = Command::new(PROGRAM);
        command.arg("--help").stdin(Stdio::null()).stdout(Stdio::null());
        let began = Instant::now();
        assert!(command.status().expect("it starts").success());
        began.elapsed().as_secs_f64()
    };
    let figures = Figures::new((0..many).map(took).collect());
    let table = table(&head(&["", "time"]), &[vec!["`etcd-scale --help`".to_owned(), figures.write(Unit::Seconds)]]);
    format!("{table}\nMedian of {many} runs, the least and the most.")
}
