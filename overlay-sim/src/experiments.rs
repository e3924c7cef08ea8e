//! Experiments: trees that grow, churn, or lose many nodes at once, and the figures that come out.

mod asking;
mod churn;
mod disaster;
mod growth;

pub use asking::{AskResult, ask};
pub use churn::{ChurnPlan, ChurnResult, Exit, churn};
pub use disaster::{Disaster, DisasterResult, survive};
pub use growth::{Growing, Growth, GrowthError, GrowthResult};
