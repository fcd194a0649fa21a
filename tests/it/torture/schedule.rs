//! Schedules: a scene, and what each run in it meets before the last one, which nothing disturbs.

use std::fmt;
use std::str::FromStr;

use super::blow::Blow;
use super::scene::{SCENES, Scene};

/// No run makes more changes than this.
const MOST_CHANGES: u64 = 14;

/// No schedule disturbs more runs than this.
const MOST_BLOWS: usize = 3;

/// A scene and the blows, each for a run of its own: at which change, and which.
#[derive(Debug)]
pub(crate) struct Schedule {
    pub(super) scene: &'static Scene,
    pub(super) blows: Vec<(u64, Blow)>,
}

impl Schedule {
    /// The one of a seed.
    pub(super) fn random(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let scene = &SCENES[random.usize(..SCENES.len())];
        let blows = (0..random.usize(1..=MOST_BLOWS))
            .map(|_| (random.u64(..MOST_CHANGES), Blow::ALL[random.usize(..Blow::ALL.len())]))
            .collect();
        Self { scene, blows }
    }

    /// Runs it to its end, and proves that.
    pub(crate) fn run(&self) {
        let cluster = self.scene.set_up();
        for (number, (at, blow)) in self.blows.iter().enumerate() {
            let ended = blow.strike(&cluster, self.scene.program(&cluster), *at);
            Scene::may_end(&ended);
            Scene::write(&cluster, number);
        }
        self.scene.finish(&cluster);
        self.scene.is_reached(&cluster, self.blows.len());
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scene.name)?;
        self.blows.iter().try_for_each(|(at, blow)| write!(f, " {at}:{blow}"))
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default();
        let scene =
            SCENES.iter().find(|scene| scene.name == name).ok_or_else(|| format!("there is no scene {name}"))?;
        let blow = |word: &str| {
            let (at, blow) = word.split_once(':').ok_or_else(|| format!("{word} is no change with its trouble"))?;
            Ok::<_, String>((at.parse::<u64>().map_err(|_| format!("{at} is no number"))?, blow.parse::<Blow>()?))
        };
        Ok(Self { scene, blows: words.map(blow).collect::<Result<_, _>>()? })
    }
}
