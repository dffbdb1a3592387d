//! What a run of the program is for.

/// What a run of the program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// To serve, or to show the configuration.
    Serve,
    /// `relay doctor`: to look at this machine.
    Doctor(Examination),
}

/// How the machine is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Examination {
    /// JSON in place of text.
    pub json: bool,
    /// Compares the backends, too.
    pub measure: bool,
}
