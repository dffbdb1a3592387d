//! What people and messages of a run are called, so that no two runs have the same.

use rand::RngExt;
use wire::MessageId;

use super::limits::RUN_LETTERS;

/// The names of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// What each person's name begins with.
    prefix: String,
    /// What each message's id begins with.
    run: u32,
}

/// Hexadecimal digits of each of the two halves of an id.
const HALF: usize = 8;

impl Names {
    /// Names that no other run has.
    pub fn random() -> Self {
        let mut rng = rand::rng();
        let letters: String = (0..RUN_LETTERS).map(|_| char::from(rng.random_range(b'a'..=b'z'))).collect();
        Self { prefix: format!("load-{letters}-"), run: rng.random() }
    }

    /// What each name begins with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What its messages say that they belong to.
    pub fn run(&self) -> u32 {
        self.run
    }

    /// A person's name.
    pub fn name(&self, person: u32) -> String {
        format!("{}{person}", self.prefix)
    }

    /// The person of a name.
    pub fn person(&self, name: &str) -> Option<u32> {
        let number = name.strip_prefix(&self.prefix)?;
        number.parse().ok().filter(|person: &u32| person.to_string() == number)
    }

    /// A message's id.
    pub fn id(&self, message: u32) -> String {
        format!("{:0HALF$x}{message:0HALF$x}", self.run)
    }

    /// The message of an id.
    pub fn message(&self, id: &MessageId) -> Option<u32> {
        let (run, number) = id.as_str().split_at_checked(HALF)?;
        let message = u32::from_str_radix(number, 16).ok()?;
        (u32::from_str_radix(run, 16) == Ok(self.run) && id.as_str() == self.id(message)).then_some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::limits::PEOPLE;

    #[test]
    fn names_and_ids_are_read_as_they_were_written() {
        let names = Names::random();
        for number in [0, 9, PEOPLE, u32::MAX] {
            assert_eq!(names.person(&names.name(number)), Some(number));
            let id = MessageId::parse(names.id(number).as_bytes()).unwrap();
            assert_eq!(names.message(&id), Some(number));
        }
        assert!(names.name(PEOPLE).len() <= 32);
    }

    #[test]
    fn those_of_others_are_nobodys() {
        let names = Names::random();
        let others = Names { prefix: "load-xxxxxx-".into(), run: names.run.wrapping_add(1) };
        let padded = format!("{}07", names.prefix());
        for name in [others.name(1), padded, names.prefix().to_owned(), "anna".into()] {
            assert_eq!(names.person(&name), None, "{name}");
        }
        for id in [others.id(1), "1".into(), names.id(1).replace('0', "+")] {
            assert_eq!(names.message(&MessageId::parse(id.as_bytes()).unwrap()), None, "{id}");
        }
    }
}
