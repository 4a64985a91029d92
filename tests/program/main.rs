//! The program as its user meets it: a process, started with a command line, against real swarms on loopback.

mod ending;
mod films;
mod inputs;
mod peer;
mod pipes;
mod players;
mod run;
mod seeds;
mod strangers;
