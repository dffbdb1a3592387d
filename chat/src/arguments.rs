//! What the arguments of the program ask for: a name, and a group.

use client::{Event, Request};
use wire::GroupId;

/// What they ask for and is refused, until a line asks for it with more luck.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    /// A line is obeyed that stands for one of them, and what it asks for is not answered yet.
    pub(crate) are_asked: bool,
    lacks_name: bool,
    lacks_group: Option<GroupId>,
}

impl Arguments {
    /// Whether something is refused that they ask for.
    pub(crate) fn are_refused(&self) -> bool {
        self.lacks_name || self.lacks_group.is_some()
    }

    /// The line that is obeyed cannot be. That is one for a name: of a group only the relay knows.
    pub(crate) fn hint(&mut self) {
        self.lacks_name |= std::mem::take(&mut self.are_asked);
    }

    /// Takes note of what the relay answers.
    pub(crate) fn consider(&mut self, event: &Event) {
        match event {
            Event::Registered { .. } => self.lacks_name = false,
            Event::Joined { group, .. } => drop(self.lacks_group.take_if(|lacked| lacked == group)),
            Event::NameTaken(_) => self.lacks_name |= self.are_asked,
            Event::Refused { request, .. }
            | Event::RefusedOtherwise { request, .. }
            | Event::NoAnswer { request, .. } => match request {
                Request::Register { .. } => self.lacks_name |= self.are_asked,
                Request::Join(group) if self.are_asked => self.lacks_group = Some(*group),
                _ => return,
            },
            _ => return,
        }
        self.are_asked = false;
    }
}
