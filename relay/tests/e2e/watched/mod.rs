//! Watched: what an operator sees of a relay that runs, and what wakes the operator up.

mod alerts;
mod causes;
mod dashboard;
mod labels;
mod mail;
mod overload;
mod panels;
mod people;
mod rendering;
mod stage;
mod status;
mod status_page;
mod watch;
