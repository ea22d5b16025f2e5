//! The kit tried out on small games: on sound ones, and on one for each fault that it is to find.

mod bots;
mod cards;
mod faults;
mod leaks;
mod race;
mod rooms;
mod steps;
