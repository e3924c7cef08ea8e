//! Schedules as text that a person can edit.
//!
//! ```text
//! overlay-sim schedule 1
//! seed 7
//! profile wan
//! policy balanced
//! degree 2
//! 0.000000 root 0
//! 0.250000 join 1
//! 3.000000 pause 1 20.000000
//! 4.000000 cut 0 1 8.000000
//! ```
//!
//! Each line after the settings is a moment in seconds, what is done, to which machines, and for how long
//! or how many bytes. Empty lines and lines that begin with `#` are for the reader.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use overlay_core::{Config, Instant, Start};

use super::{Schedule, Setup, TimedStep, Value, settings};
use crate::schedule::{Fault, Impairment, Message, Outage, Partition, Step, Wish};

/// No moment lies later and nothing lasts longer, in seconds: a day.
const LONGEST: u64 = 24 * 60 * 60;

/// The longest message, in bytes.
const MAX_LEN: u32 = 1 << 20;

/// The first line of a schedule.
const TITLE: &str = "overlay-sim schedule 1";

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{TITLE}")?;
        writeln!(f, "seed {}", self.setup.seed)?;
        writeln!(f, "profile {}", self.setup.profile)?;
        writeln!(f, "policy {}", self.setup.config.policy)?;
        let defaults = Config::default();
        if self.setup.config.slow != defaults.slow {
            writeln!(f, "slow {}", self.setup.config.slow)?;
        }
        if self.setup.config.start == Start::Oldest {
            writeln!(f, "start oldest")?;
        }
        for setting in settings() {
            let value = (setting.read)(&self.setup.config);
            if value == (setting.read)(&defaults) {
                continue;
            }
            match value {
                Value::Count(count) => writeln!(f, "{} {count}", setting.name)?,
                Value::Time(time) => writeln!(f, "{} {}", setting.name, Seconds(time))?,
            }
        }
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl fmt::Display for TimedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}",
            Seconds(self.at.since(Instant::ZERO)),
            self.step.name()
        )?;
        match self.step {
            Step::Wish(_, number) | Step::Fault(_, number) => write!(f, " {number}"),
            Step::Send(_, number, len) => write!(f, " {number} {len}"),
            Step::Impairment(_, number, time) => write!(f, " {number} {}", Seconds(time)),
            Step::Partition(_, one, other, time) => write!(f, " {one} {other} {}", Seconds(time)),
            Step::Outage(_, time) => write!(f, " {}", Seconds(time)),
        }
    }
}

/// Seconds with microseconds, exactly.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0.as_secs(), self.0.subsec_micros())
    }
}

/// A text that is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ParseScheduleError {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

impl FromStr for Schedule {
    type Err = ParseScheduleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut schedule = Self {
            setup: Setup::new(0),
            steps: Vec::new(),
        };
        let mut lines = text
            .lines()
            .enumerate()
            .map(|(number, line)| (number + 1, line.trim()))
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let title = lines.next();
        if title.is_none_or(|(_, line)| line != TITLE) {
            return Err(ParseScheduleError {
                line: title.map_or(1, |(number, _)| number),
                problem: format!("a schedule begins with `{TITLE}`"),
            });
        }
        for (number, line) in lines {
            let wrong = |problem| ParseScheduleError {
                line: number,
                problem,
            };
            parse_line(line, &mut schedule).map_err(wrong)?;
        }
        let config = &schedule.setup.config;
        config.validate().map_err(|error| ParseScheduleError {
            line: 1,
            problem: error.to_string(),
        })?;
        schedule.steps.sort_by_key(|step| step.at);
        Ok(schedule)
    }
}

fn parse_line(line: &str, schedule: &mut Schedule) -> Result<(), String> {
    let mut words = Words(line.split_ascii_whitespace());
    let first = words.next::<String>("a setting or a moment")?;
    if first.starts_with(|c: char| c.is_ascii_digit()) {
        let at = Instant::ZERO + seconds(&first)?;
        let step = parse_act(&mut words)?;
        schedule.steps.push(TimedStep { at, step });
    } else {
        let setup = &mut schedule.setup;
        match first.as_str() {
            "seed" => setup.seed = words.next("a number")?,
            "profile" => setup.profile = words.next("a profile")?,
            "policy" => setup.config.policy = words.next("a policy")?,
            "slow" => setup.config.slow = words.next("a policy for slow nodes")?,
            "start" => match words.next::<String>("a place to start")?.as_str() {
                "live" => setup.config.start = Start::Live,
                "oldest" => setup.config.start = Start::Oldest,
                other => return Err(format!("`{other}` is not `live` or `oldest`")),
            },
            name => {
                let setting = settings().iter().find(|setting| setting.name == name);
                let setting = setting.ok_or_else(|| format!("no setting is called `{name}`"))?;
                let value = match (setting.read)(&setup.config) {
                    Value::Count(_) => Value::Count(words.next("a number")?),
                    Value::Time(_) => Value::Time(words.time()?),
                };
                if !(setting.write)(&mut setup.config, value) {
                    return Err(format!("`{name}` is out of range"));
                }
            }
        }
    }
    words.end()
}

fn parse_act(words: &mut Words<'_>) -> Result<Step, String> {
    let verb = words.next::<String>("what is done")?;
    let step = if let Ok(wish) = verb.parse::<Wish>() {
        Step::Wish(wish, words.machine()?)
    } else if let Ok(message) = verb.parse::<Message>() {
        Step::Send(message, words.machine()?, words.length()?)
    } else if let Ok(fault) = verb.parse::<Fault>() {
        Step::Fault(fault, words.machine()?)
    } else if let Ok(impairment) = verb.parse::<Impairment>() {
        Step::Impairment(impairment, words.machine()?, words.time()?)
    } else if let Ok(between) = verb.parse::<Partition>() {
        Step::Partition(between, words.machine()?, words.machine()?, words.time()?)
    } else {
        let outage = verb.parse::<Outage>().map_err(|error| error.to_string())?;
        Step::Outage(outage, words.time()?)
    };
    Ok(step)
}

/// The words of a line.
struct Words<'a>(core::str::SplitAsciiWhitespace<'a>);

impl Words<'_> {
    fn next<T: FromStr>(&mut self, what: &str) -> Result<T, String> {
        let word = self.0.next().ok_or_else(|| format!("{what} is missing"))?;
        word.parse().map_err(|_| format!("`{word}` is not {what}"))
    }

    fn machine(&mut self) -> Result<u32, String> {
        self.next("the number of a machine")
    }

    fn length(&mut self) -> Result<u32, String> {
        let len: u32 = self.next("a length in bytes")?;
        if len > MAX_LEN {
            return Err(format!("{len} bytes are more than {MAX_LEN}"));
        }
        Ok(len)
    }

    fn time(&mut self) -> Result<Duration, String> {
        seconds(&self.next::<String>("a time in seconds")?)
    }

    fn end(&mut self) -> Result<(), String> {
        self.0
            .next()
            .map_or(Ok(()), |word| Err(format!("`{word}` is too much")))
    }
}

/// Reads seconds with up to six decimals, exactly.
fn seconds(text: &str) -> Result<Duration, String> {
    let problem = || format!("`{text}` is not a time in seconds");
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let whole: u64 = whole.parse().map_err(|_| problem())?;
    if decimals.len() > 6 || !decimals.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(problem());
    }
    if whole > LONGEST {
        return Err(format!("`{text}` is longer than {LONGEST} seconds"));
    }
    let micros: u32 = format!("{decimals:0<6}").parse().map_err(|_| problem())?;
    Ok(Duration::new(whole, micros * 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "overlay-sim schedule 1
seed 7
profile wan
policy hash
slow skip
start oldest
degree 2
settle-timeout 0.500000
0.000000 root 0
0.250000 join 1
1.000000 broadcast 0 100
3.000000 pause 1 20.000000
4.000001 cut 0 1 8.000000
5.000000 crash 1
6.000000 stop-server 2.500000
";

    #[test]
    fn a_schedule_survives_its_own_text() {
        let schedule: Schedule = TEXT.parse().unwrap();
        assert_eq!(schedule.to_string(), TEXT);
        assert_eq!(schedule.end(), Instant::from_millis(23_000));
    }

    #[test]
    fn a_wrong_line_is_named_with_what_is_wrong() {
        let error = |line: &str| {
            format!("{TITLE}\n\n{line}")
                .parse::<Schedule>()
                .unwrap_err()
        };
        let told = |line: &str| error(line).to_string();
        assert_eq!(told("1.0 dance 3"), "line 3: `dance` is not known here");
        assert_eq!(
            told("1.0 crash"),
            "line 3: the number of a machine is missing"
        );
        assert_eq!(told("1.0 crash 1 2"), "line 3: `2` is too much");
        assert_eq!(told("degree 70000"), "line 3: `degree` is out of range");
        assert_eq!(
            told("1.0 pause 1 86401.0"),
            "line 3: `86401.0` is longer than 86400 seconds"
        );
        assert_eq!(
            told("1.0 send-up 1 4294967295"),
            "line 3: 4294967295 bytes are more than 1048576"
        );
        assert_eq!(told("color red"), "line 3: no setting is called `color`");
        assert_eq!(told("-1 crash 1"), "line 3: no setting is called `-1`");
        assert_eq!(
            told("1.x crash 1"),
            "line 3: `1.x` is not a time in seconds"
        );
        assert!("".parse::<Schedule>().is_err());
    }
}
