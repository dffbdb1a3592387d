//! What proves that names are one's own: noted down before the relay is asked, so that no lost answer loses a name.

use std::collections::BTreeMap;
use std::fmt::Debug;

use anyhow::{Context, anyhow};
use client::{Event, Refusal, Request, choose_claim, fold};
use wire::Token;

/// What proves that names are one's own, by the folded name.
pub type Claims = BTreeMap<String, Token>;

const NOWHERE: &str =
    "set HOME or XDG_STATE_HOME, where its claim is kept, or say that, too (`/reg NAME CLAIM`, `--claim`)";

/// Where claims outlive the program.
pub trait Keep: Debug {
    /// The claim that is noted down for this name. If there is none: this one, which is from now on.
    ///
    /// # Errors
    /// It cannot be noted down.
    fn note(&self, name: &str, claim: Token) -> anyhow::Result<Token>;
    /// Notes this claim down, whatever was known.
    ///
    /// # Errors
    /// It cannot be noted down.
    fn keep(&self, name: &str, claim: Token) -> anyhow::Result<()>;
    /// Takes this claim out, unless it is another one by now.
    ///
    /// # Errors
    /// It cannot be taken out.
    fn forget(&self, name: &str, claim: Token) -> anyhow::Result<()>;
}

/// The claims of one's names, and where they are kept.
#[derive(Debug, Default)]
pub struct Credentials {
    claims: Claims,
    keeper: Option<Box<dyn Keep>>,
    /// Chosen here for a name that the relay has not granted yet.
    chosen: Option<(String, Token)>,
}

impl Credentials {
    /// These are known; without a keeper none is chosen, because the name would be lost to everybody with the program.
    pub fn new(claims: Claims, keeper: Option<Box<dyn Keep>>) -> Self {
        Self { claims, keeper, chosen: None }
    }

    /// Whether there is a claim for this name.
    pub fn has(&self, name: &str) -> bool {
        self.claims.contains_key(&fold(name))
    }

    /// What to ask the relay for, to have this name. A claim that is chosen for it is noted down before.
    ///
    /// # Errors
    /// It cannot be noted down: then nothing is to be asked.
    pub fn register(&mut self, name: &str) -> anyhow::Result<Request> {
        let claim = match self.claims.get(&fold(name)) {
            Some(claim) => *claim,
            None => self.choose(name).with_context(|| format!("{name} was not registered"))?,
        };
        Ok(Request::Register { name: name.to_owned(), claim: Some(claim) })
    }

    fn choose(&mut self, name: &str) -> anyhow::Result<Token> {
        let keeper = self.keeper.as_ref().context(NOWHERE)?;
        let claim = choose_claim().context("the operating system has no random numbers")?;
        let noted = keeper.note(name, claim)?;
        self.claims.insert(fold(name), noted);
        self.chosen = (noted == claim).then(|| (name.to_owned(), claim));
        Ok(noted)
    }

    /// Keeps what was granted, and takes out what was chosen in vain.
    ///
    /// # Errors
    /// That could not be written.
    pub fn consider(&mut self, event: &Event) -> anyhow::Result<()> {
        match event {
            Event::Registered { name, claim, .. } => {
                self.chosen = None;
                self.claims.insert(fold(name), *claim);
                let kept = self.keeper.as_ref().map_or(Ok(()), |keeper| keeper.keep(name, *claim));
                kept.map_err(|error| anyhow!("{error:#}. Until then this proves that it is yours: {claim}"))
            }
            // A full relay may have granted it before, in an answer that was lost, and so may one whose words nobody knows.
            Event::Refused { refusal: Refusal::ServerFull, .. } => Ok(()),
            Event::NameTaken(name) | Event::Refused { request: Request::Register { name, .. }, .. } => {
                self.take_back(name)
            }
            _ => Ok(()),
        }
    }

    /// The name was not granted: what was chosen for it proves nothing.
    ///
    /// # Errors
    /// It cannot be taken out.
    fn take_back(&mut self, name: &str) -> anyhow::Result<()> {
        let Some((name, claim)) = self.chosen.take_if(|(chosen, _)| fold(chosen) == fold(name)) else {
            return Ok(());
        };
        self.claims.remove(&fold(&name));
        self.keeper.as_ref().map_or(Ok(()), |keeper| keeper.forget(&name, claim))
    }
}

/// Keeps until the end of a test.
#[cfg(test)]
#[derive(Debug)]
struct Memory;

#[cfg(test)]
impl Keep for Memory {
    fn note(&self, _: &str, claim: Token) -> anyhow::Result<Token> {
        Ok(claim)
    }

    fn keep(&self, _: &str, _: Token) -> anyhow::Result<()> {
        Ok(())
    }

    fn forget(&self, _: &str, _: Token) -> anyhow::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
impl Credentials {
    pub(crate) fn in_memory() -> Self {
        Self::new(Claims::new(), Some(Box::new(Memory)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(refusal: Refusal) -> Event {
        Event::Refused { request: Request::Register { name: "anna".into(), claim: None }, refusal }
    }

    #[test]
    fn what_was_chosen_is_taken_out_only_if_it_cannot_have_been_granted() {
        let mut credentials = Credentials::in_memory();
        let Request::Register { claim: first, .. } = credentials.register("anna").unwrap() else { panic!() };
        credentials.consider(&refused(Refusal::ServerFull)).unwrap();
        let Request::Register { claim, .. } = credentials.register("Anna").unwrap() else { panic!() };
        assert_eq!(claim, first, "the relay may know it");
        let (request, answer) =
            (Request::Register { name: "anna".into(), claim: None }, b"!ERR NEWS".to_vec());
        credentials.consider(&Event::RefusedOtherwise { request, answer }).unwrap();
        assert!(credentials.has("anna"));
        credentials.consider(&refused(Refusal::BadName)).unwrap();
        assert!(!credentials.has("anna"));
    }

    #[test]
    fn a_claim_that_nobody_keeps_is_not_chosen() {
        let claim = Token::of(1);
        let mut credentials = Credentials::new([("anna".into(), claim)].into(), None);
        let asked = credentials.register("anna").unwrap();
        assert_eq!(asked, Request::Register { name: "anna".into(), claim: Some(claim) });
        let error = format!("{:#}", credentials.register("bob").unwrap_err());
        assert!(error.starts_with("bob was not registered: set HOME or XDG_STATE_HOME"), "{error}");
        assert!(!credentials.has("bob"));
    }
}
