//! A crew of members that do as they are told by a test.

use std::sync::mpsc::{Sender, channel};

use super::*;

/// Leaves when it is told to, if it listens.
struct Fake {
    number: usize,
    news: Sender<(usize, News)>,
    told: Sender<Command>,
    listens: bool,
}

impl Member for Fake {
    fn tell(&mut self, command: Command) -> io::Result<()> {
        self.told.send(command).map_err(io::Error::other)?;
        if self.listens && command == Command::Leave {
            self.news.send((self.number, News::Left)).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn name(&self) -> String {
        format!("worker 10.0.0.{}:9600", self.number)
    }
}

type Told = Receiver<Command>;

fn crew(listens: bool) -> (Crew, Sender<(usize, News)>, Told) {
    let ((news, heard), (told, commands)) = (channel(), channel());
    let mut crew = Crew::new(heard, Facts::default());
    for number in 0..2 {
        crew.add(Box::new(Fake { number, news: news.clone(), told: told.clone(), listens }));
    }
    (crew, news, commands)
}

fn progress() -> News {
    News::Progress(Box::default())
}

/// The first thing that is no progress, while the first member goes on telling.
fn first_news(crew: &mut Crew, news: &Sender<(usize, News)>) -> News {
    loop {
        news.send((0, progress())).unwrap();
        match crew.hear(Duration::from_millis(10)) {
            News::Progress(_) => {}
            other => return other,
        }
    }
}

#[test]
fn who_tells_nothing_any_more_is_named() {
    let (mut crew, news, _told) = crew(true);
    crew.silence = Duration::from_millis(100);
    let start = Instant::now();
    let failed = News::Failed("worker 10.0.0.1:9600 tells nothing any more".into());
    assert_eq!(first_news(&mut crew, &news), failed);
    assert!(start.elapsed() >= crew.silence);
}

#[test]
fn who_has_left_may_be_silent() {
    let (mut crew, news, _told) = crew(true);
    crew.silence = Duration::from_millis(20);
    news.send((1, News::Left)).unwrap();
    let start = Instant::now();
    while start.elapsed() < 3 * crew.silence {
        news.send((0, progress())).unwrap();
        assert!(matches!(crew.hear(Duration::from_millis(1)), News::Progress(_)));
    }
}

/// While nobody listened, nobody was silent.
#[test]
fn absence_is_no_silence() {
    let (mut crew, _news, _told) = crew(true);
    crew.silence = ABSENCE;
    let past = Instant::now().checked_sub(2 * ABSENCE).unwrap();
    crew.listened = past;
    crew.seats.iter_mut().for_each(|seat| seat.heard = past);
    assert!(matches!(crew.hear(Duration::ZERO), News::Progress(_)));
}

#[test]
fn dropped_it_lets_everybody_leave_once() {
    let (mut crew, _news, told) = crew(true);
    crew.leave();
    drop(crew);
    assert_eq!(told.iter().collect::<Vec<_>>(), [Command::Leave; 2]);
}

#[test]
fn nobody_waits_for_ever_for_those_who_do_not_leave() {
    let (crew, _news, told) = crew(false);
    let start = Instant::now();
    drop(crew);
    assert!(start.elapsed() >= FAREWELL && start.elapsed() < 5 * FAREWELL);
    assert_eq!(told.iter().count(), 2);
}
