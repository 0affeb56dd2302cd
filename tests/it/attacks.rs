//! Every line of the attack table (DESIGN §2) with the user PIN, against the token that the ceremony made.

use crate::ceremony_rig::Rig;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Body {
    Table,
}

impl Body {
    pub fn run(self, _rig: &Rig) -> String {
        String::new()
    }
}
